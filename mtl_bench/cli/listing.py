"""`mtl-bench list`: what can be chosen, described by the first line of each YAML."""

from difflib import get_close_matches
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mtl_bench.configuration.configs_folder import configs_folder, option_groups
from mtl_bench.errors import BenchError


def describe(path: Path) -> str:
    """The header comment without the command behind its last colon."""
    for line in path.read_text().splitlines():
        if line.startswith("# ") and not line.startswith("# @package"):
            return line[2:].rpartition(": mtl-bench")[0] or line[2:]
    return ""


def show_listing(group: str | None) -> None:
    """One table per group. Raises BenchError for an unknown group."""
    groups = option_groups()
    if group is not None and group not in groups:
        alike = get_close_matches(group, groups, n=1)
        choice = f"did you mean {alike[0]}?" if alike else f"choose among {', '.join(groups)}."
        raise BenchError(f"There is no group {group!r}; {choice}")
    console = Console()
    for name in groups if group is None else (group,):
        table = Table(title=f"{name}=…", title_justify="left", title_style="bold", box=None, show_header=False)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column()
        for path in sorted((configs_folder() / name).glob("*.yaml")):
            table.add_row(path.stem, describe(path))
        console.print(table)
        console.print()
