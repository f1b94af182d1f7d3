"""`mtl-bench compare A B`: two methods of one board against each other."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.cli.record_folders import boards_below, is_asked_for, telling_damaged
from mtl_bench.errors import BenchError

if TYPE_CHECKING:
    from rich.console import Console

    from mtl_bench.results.comparison import Comparison


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="A", help="a method, or the label of its row where it has several")
    parser.add_argument("second", metavar="B", help="the one it is compared with")
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], help="where records lie (runs)")
    parser.add_argument("--experiment", help="only this experiment (default: every board that holds both)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the differences into a .png, .svg or .pdf")


def compare(parsed: argparse.Namespace) -> None:
    from rich.console import Console

    from mtl_bench.results.comparison import find_pairs

    with telling_damaged() as damaged:
        boards = [board for board in boards_below(parsed.folders, damaged) if is_asked_for(board, parsed.experiment)]
        if not boards:
            raise BenchError(f"No record of a method on {parsed.experiment} lies in these folders.")
        found = find_pairs(boards, parsed.first, parsed.second)
        if parsed.plot is not None:
            from mtl_bench.results.comparison_plot import plot_comparisons

            plot_comparisons(found, parsed.plot)
        console = Console()
        for comparison in found:
            _show(comparison, console)


def _show(comparison: "Comparison", console: "Console") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from mtl_bench.results.comparison_text import cells_of, conclusion, heading, remarks
    from mtl_bench.results.folding import fill, fold

    first, second = comparison.first.label, comparison.second.label
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for header in ("", fold(first, 10), fold(second, 10), "Difference %", "p", "P", ""):
        table.add_column(Text(header), justify="right" if header else "left", no_wrap=True)
    for gap in [*([comparison.delta_m] if comparison.delta_m else []), *comparison.tasks]:
        name, *texts = cells_of(gap)
        table.add_row(*map(Text, (fold(name, 24), *texts)), style="bold" if gap is comparison.delta_m else "")
    console.print(heading(comparison), style="bold", markup=False, highlight=False)
    console.print()
    console.print(table)
    console.print()
    for line in (conclusion(comparison), *remarks(comparison)):
        console.print(fill(line, console.width), markup=False, highlight=False, soft_wrap=True)
    console.print()
