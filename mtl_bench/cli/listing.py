"""`mtl-bench list`: what can be chosen, described by the first line of each YAML."""

from difflib import get_close_matches
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mtl_bench.cli.method_facts import facts
from mtl_bench.configuration.configs_folder import configs_folder, option_groups
from mtl_bench.errors import BenchError

METHODS = "method"


def describe(path: Path) -> str:
    """The header comment without the command behind its last colon."""
    for line in path.read_text().splitlines():
        if line.startswith("# ") and not line.startswith("# @package"):
            return line[2:].rpartition(": mtl-bench")[0] or line[2:]
    return ""


def show_listing(group: str | None) -> None:
    """One table per group. Raises BenchError for an unknown group."""
    groups = option_groups()
    if group is not None and group.removesuffix("s") in groups:
        group = group.removesuffix("s")  # methods, as one says
    if group is not None and group not in groups:
        alike = get_close_matches(group, groups, n=1)
        choice = f"did you mean {alike[0]}?" if alike else f"choose among {', '.join(groups)}."
        raise BenchError(f"There is no group {group!r}; {choice}")
    console = Console()
    for name in groups if group is None else (group,):
        table = Table(title=f"{name}=…", title_justify="left", title_style="bold", box=None, show_header=False)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column()
        paths = sorted((configs_folder() / name).glob("*.yaml"))
        if group == METHODS:
            _describe_methods(table, paths)
        else:
            for path in paths:
                table.add_row(path.stem, describe(path))
        console.print(table)
        console.print()


def _describe_methods(table: Table, paths: list[Path]) -> None:
    """With what each belongs to, needs and costs, and a p where it takes `priorities`."""
    table.show_header = True
    for column, title in zip(table.columns, ("", "what it is"), strict=True):
        column.header = title
    table.add_column("family: needs")
    table.add_column("p", justify="center")
    table.add_column("passes per batch")
    for path in paths:
        found = facts(path)
        belongs = ": ".join(filter(None, (found.family, ", ".join(found.needs))))
        table.add_row(path.stem, describe(path), belongs, "p" if found.priorities else "", found.passes)
