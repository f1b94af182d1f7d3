"""`mtl-bench rank`: mean ranks on the complete grid of a suite, and how far they move."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.cli.record_folders import boards_below, telling_damaged
from mtl_bench.errors import BenchError, Damaged

if TYPE_CHECKING:
    from rich.table import Table

    from mtl_bench.configuration.suite_grid import SuiteGrid
    from mtl_bench.results.board import Board
    from mtl_bench.results.mean_ranks import Grid

READING = (
    "A mean rank depends on the rows that are there: it compares with no other table. The places beside it are those "
    "when any one method, which goes on counting where it stood, or any one task is left out. P: how often a seed of "
    "the row beats a seed of the row below, over pairs of seeds, mean over metrics; 0.5 is a coin."
)


def add_rank_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", help="a name in configs/suite, or a YAML file: the grid that must be complete")
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], help="where records lie (runs)")
    parser.add_argument("--without", action="append", default=[], metavar="METHOD", help="less this method; repeatable")


def rank(parsed: argparse.Namespace) -> None:
    with telling_damaged() as damaged:
        _rank(parsed, damaged)


def _rank(parsed: argparse.Namespace, damaged: list[Damaged]) -> None:
    from rich.console import Console

    from mtl_bench.configuration.suite_grid import suite_grid
    from mtl_bench.results.folding import fill
    from mtl_bench.results.mean_ranks import complete_grid

    suite = suite_grid(parsed.suite)
    if suite.further:
        raise BenchError(
            f"{suite.name} also sweeps over {', '.join(suite.further)}, so that a method has several rows; mean ranks "
            "are of one row for each."
        )
    boards = _boards(suite, boards_below(parsed.folders, damaged, entries=False))
    if unknown := sorted(set(parsed.without) - set(suite.methods)):
        raise BenchError(f"The suite {suite.name} has no method {unknown[0]!r}; it has {', '.join(suite.methods)}.")
    methods = [method for method in suite.methods if method not in parsed.without]
    if len(methods) < 2:
        raise BenchError("A rank needs two methods at least; leave fewer out.")
    grid = complete_grid(boards, methods, suite.seeds)
    console = Console()
    less = f" less {', '.join(parsed.without)}" if parsed.without else ""
    metrics = sum(len(columns) for columns, _ in grid)
    console.print(
        f"{suite.name}{less}: {len(methods)} methods × {len(suite.seeds)} seeds, {metrics} metrics of "
        f"{', '.join(suite.experiments)}",
        style="bold",
        highlight=False,
    )
    console.print(_table(grid))
    console.print(fill(READING, console.width), highlight=False, soft_wrap=True)


def _boards(suite: "SuiteGrid", found: "list[Board]") -> "list[Board]":
    boards = []
    for experiment in suite.experiments:
        named = [board for board in found if board.experiment == experiment]
        if not named:
            raise BenchError(f"{suite.name} is a grid on {experiment}, of which no record lies in these folders.")
        shared = [sum(board.row_of(method) is not None for method in suite.methods) for board in named]
        fit = [board for board, count in zip(named, shared, strict=True) if count == max(shared)]  # groups: few
        if len(fit) > 1:
            raise BenchError(
                f"Two protocols named {experiment} ({', '.join(board.hash[:12] for board in fit)}) lie in these "
                "folders and share no table; name folders that hold one of them."
            )
        boards += fit
    return boards


def _table(grid: "Grid") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from mtl_bench.results.mean_ranks import better_than_next, mean_ranks
    from mtl_bench.results.sensitivity import places, span_text

    ranks = mean_ranks(grid)
    found, chances = places(grid, mean_ranks), better_than_next(grid, ranks)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("Method")
    for header in (f"MR of {len(ranks)} ↓", "Place", "less a\nmethod", "less a\ntask", "P(better\nthan next)"):
        table.add_column(header, justify="right", no_wrap=True)
    for label in sorted(ranks, key=lambda label: ranks[label]):
        place = found[label]
        chance = f"{chances[label]:.2f}" if label in chances else "–"
        texts = (f"{place.place:g}", span_text(place.less_a_method), span_text(place.less_a_task))
        table.add_row(label, f"{ranks[label]:.2f}", *texts, chance)
    return table
