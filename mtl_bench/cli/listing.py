"""`mtl-bench list`: what can be chosen, described by the first line of each YAML."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.errors import BenchError

GROUPS = ("experiment", "method", "grouping", "dataset", "tasks", "model", "protocol", "suite", "logger")


def describe(path: Path) -> str:
    """The header comment without the command behind its last colon."""
    for line in path.read_text().splitlines():
        if line.startswith("# ") and not line.startswith("# @package"):
            return line[2:].rpartition(": mtl-bench")[0] or line[2:]
    return ""


def show_listing(group: str | None) -> None:
    """One table per group. Raises BenchError for an unknown group."""
    if group is not None and group not in GROUPS:
        raise BenchError(f"There is no group {group!r}; choose among {', '.join(GROUPS)}.")
    console = Console()
    for name in GROUPS if group is None else (group,):
        table = Table(title=f"{name}=…", title_justify="left", title_style="bold", box=None, show_header=False)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column()
        for path in sorted((configs_folder() / name).glob("*.yaml")):
            table.add_row(path.stem, describe(path))
        console.print(table)
        console.print()
