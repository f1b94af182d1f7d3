"""`mtl-bench conflict`: measured gradient conflict against what tasks gain or lose, over all runs and boards."""

import argparse
from pathlib import Path

from mtl_bench.cli.record_folders import boards_below, telling_damaged

READING = (
    "Cosines are of a task's gradient to the mean of all, each scaled to length 1 (K unrelated ones: 1/√K); a change "
    "is against the single-task means. ρ is Spearman's over tasks, each the mean of its runs: above 0, tasks in less "
    "conflict gain more. p is of the changes in other orders within each board: in all of them for up to {exact} tasks "
    "of one board, else in {draws:,} at random. Tasks of one board are not independent, so it is a guide at best. Two "
    "tasks have equal cosines to their mean, so boards of two are not among all."
)


def add_conflict_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], help="where runs lie (runs)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the scatter into a .png, .svg or .pdf")


def conflict(parsed: argparse.Namespace) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from mtl_bench.results.alignment import DRAWS, EXACT, alignments, find_cosines, predictions
    from mtl_bench.results.folding import fill
    from mtl_bench.results.row import told_astride

    with telling_damaged() as damaged:
        boards = boards_below(parsed.folders, damaged, entries=False)
        points = alignments(boards, find_cosines(parsed.folders, damaged))
        if parsed.plot is not None:
            from mtl_bench.results.alignment_plot import plot_alignments

            plot_alignments(points, parsed.plot)
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        for header in ("Board", "Runs", "Tasks", "Cosine, mean", "ρ", "p"):
            table.add_column(header, justify="left" if header == "Board" else "right")
        for found in predictions(points):
            own = [point for point in points if point.board in found.boards]
            runs = len({(point.board, point.row, point.seed) for point in own})
            mean = sum(point.cosine for point in own) / len(own)
            numbers = [f"{value:.2f}" if value is not None else "–" for value in (found.rho, found.p)]
            table.add_row(found.name, str(runs), str(found.tasks), f"{mean:.2f}", *numbers)
        console = Console()
        console.print(table)
        alone = [(board.experiment, row) for board in boards for row in board.rows if row.is_single_task]
        told = [f"{experiment}: {line}" for experiment, row in alone for line in told_astride(row)]
        for line in [*told, READING.format(exact=EXACT, draws=DRAWS)]:
            console.print(fill(line, console.width), highlight=False, soft_wrap=True)
