"""`mtl-bench conflict`: measured gradient conflict against what tasks gain or lose, over all runs and boards."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from mtl_bench.cli.record_folders import boards_below, one_of_each, telling_damaged

if TYPE_CHECKING:
    from rich.table import Table

    from mtl_bench.results.conflict_gains import GainsOverSum

READING = (
    "Cosines are of a task's gradient to the mean of all, each scaled to length 1 (K unrelated ones: 1/√K); a change "
    "is against the single-task means. ρ is Spearman's over tasks, each the mean of its runs: above 0, tasks in less "
    "conflict gain more. p is of the changes in other orders within each board: in all of them for up to {exact} tasks "
    "of one board, else in {draws:,} at random. Tasks of one board are not independent, so it is a guide at best. Two "
    "tasks have equal cosines to their mean, so boards of two are not among all."
)

GAINS = (
    "Gains are Δm of a method less that of the plain sum of losses on the same board, in %, rows with a diverged seed "
    "left out; the best of many is partly luck, the median is not. "
)
ORDER = "Over {boards} boards ρ of cosine and gain is {told}: below 0, more conflict rewards methods more."
FEW_BOARDS = "ρ over boards asks for {few} of them, and here are {boards}."
COPIES = (
    "{runs} runs lie here more than once with other values, as two machines leave them; of each the copy counts that "
    "lies among most records."
)


def add_conflict_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], help="where runs lie (runs)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the scatter into a .png, .svg or .pdf")


def conflict(parsed: argparse.Namespace) -> None:
    from rich.console import Console

    from mtl_bench.results.alignment import DRAWS, EXACT, alignments, find_cosines, predictions
    from mtl_bench.results.conflict_gains import gains_over_sum
    from mtl_bench.results.folding import fill
    from mtl_bench.results.row import told_astride

    with telling_damaged() as damaged:
        records, copies = one_of_each(parsed.folders, damaged)
        boards = boards_below(parsed.folders, damaged, entries=False, records=records)
        points = alignments(boards, find_cosines(records))
        if parsed.plot is not None:
            from mtl_bench.results.alignment_plot import plot_alignments

            plot_alignments(points, parsed.plot)
        table = _table("Board", "Runs", "Tasks", "Cosine, mean", "ρ", "p")
        for found in predictions(points):
            own = [point for point in points if point.board in found.boards]
            runs = len({(point.board, point.row, point.seed) for point in own})
            mean = sum(point.cosine for point in own) / len(own)
            numbers = [f"{value:.2f}" if value is not None else "–" for value in (found.rho, found.p)]
            table.add_row(found.name, str(runs), str(found.tasks), f"{mean:.2f}", *numbers)
        console = Console()

        def say(text: str) -> None:
            console.print(fill(text, console.width), highlight=False, soft_wrap=True)

        console.print(table)
        alone = [(board.experiment, row) for board in boards for row in board.rows if row.is_single_task]
        for line in (f"{experiment}: {line}" for experiment, row in alone for line in told_astride(row)):
            say(line)
        say(READING.format(exact=EXACT, draws=DRAWS))
        if gains := gains_over_sum(boards, points):
            console.print("", _gains(gains))
            say(GAINS + _order(gains))
        if copies:
            say(COPIES.format(runs=copies))


def _table(*headers: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for header in headers:
        table.add_column(header, justify="left" if header == "Board" else "right")
    return table


def _gains(found: "Sequence[GainsOverSum]") -> "Table":
    from mtl_bench.results.table_text import signed_number

    table = _table("Board", "Cosine, mean", "Methods", "Best gain", "Median gain")
    for one in sorted(found, key=lambda one: -one.cosine):
        gains = [signed_number(gain) for gain in (max(one.gains), median(one.gains))]
        table.add_row(one.board, f"{one.cosine:.2f}", str(len(one.gains)), *gains)
    return table


def _order(found: "Sequence[GainsOverSum]") -> str:
    from mtl_bench.results.conflict_gains import FEW, order_of_boards

    named = {"best": order_of_boards(found, max), "median": order_of_boards(found, median)}
    told = [
        f"{one.rho:.2f} for the {name} (p {one.p:.2f})" for name, one in named.items() if one and one.rho is not None
    ]
    if not told:
        return FEW_BOARDS.format(few=FEW, boards=len(found))
    return ORDER.format(boards=len(found), told=" and ".join(told))
