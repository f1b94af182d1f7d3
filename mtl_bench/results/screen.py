"""A board in a terminal of any width: a number that is cut or folded is misread, so columns stand in parts instead."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mtl_bench.results.board import Board
from mtl_bench.results.essentials import all_columns, essentials
from mtl_bench.results.folding import fill
from mtl_bench.results.render import lines, title
from mtl_bench.results.strips import Strip, choose, parts

MORE = (
    "A pass is one forward or one backward sweep of a batch through the encoder. `mtl-bench report --wide` shows every "
    "metric and every cost."
)


def show(board: Board, console: Console | None = None, *, wide: bool = False) -> None:
    """Prints what is read first, or with `wide` every column, and the lines below, commands unbroken to be copied."""
    console = console or Console()
    found = all_columns(board) if wide else essentials(board)
    kept = found if wide else choose(found, console.width)
    below = [] if wide else [*_left_out(found, kept), MORE]
    console.print(title(board), style="bold", markup=False, highlight=False)
    for strips in parts(kept, console.width):
        console.print()
        console.print(_table(board, strips))
    console.print()
    for line in (*below, *lines(board, worth=wide)):
        console.print(fill(line, console.width), markup=False, highlight=False, soft_wrap=True)
    console.print()


def _left_out(found: Sequence[Strip], kept: Sequence[Strip]) -> list[str]:
    shown = {strip.header for strip in kept}
    names = [" ".join(strip.header.split("\n")[:2]) for strip in found if strip.header not in shown]
    return [f"No room here for {', '.join(names)}."] if names else []


def _table(board: Board, strips: Sequence[Strip]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for strip in strips:
        table.add_column(Text(strip.header), justify="left" if strip.name else "right", no_wrap=True)
    for row, texts in zip(board.rows, zip(*(strip.texts for strip in strips), strict=True), strict=True):
        style = {"best": "bold", "tied": "bold", "diverged": "dim"}.get(row.standing or "", "")
        # Text, not str: rich would read [left] as markup.
        table.add_row(*(Text(text) for text in texts), style=style)
    return table
