"""What a person sees while a dataset is prepared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mtl_bench.data.official.inventory import Inventory

SHOWN = 5  # sentences; a folder without one kind of file would fill the screen with them


def table_of(inventory: Inventory) -> Table:
    """What was found, what is missing, what cannot be read."""
    table = Table("Split", "Files", title=inventory.source, title_justify="left", box=None, pad_edge=False)
    for name in ("Found", "Missing", "Unreadable"):
        table.add_column(name, justify="right")
    for tally in inventory.tallies:
        counts = [f"{count:,}" if count else "–" for count in (tally.found, tally.missing, tally.unreadable)]
        table.add_row(tally.split or "all", tally.files, *counts)
    return table


def shortened(sentences: list[str]) -> list[str]:
    more = len(sentences) - SHOWN
    return [*sentences[:SHOWN], *([f"… and {more} more; the manifest names all."] if more > 0 else [])]


@contextmanager
def followed(name: str, total: int, console: Console | None) -> Iterator[Callable[[int], None]]:
    """Yields what is told the number of samples done. Silent off a terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=console is None or not Console(stderr=True).is_terminal,
    )
    with bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)
