"""Mean ranks on a complete grid, and how likely a seed of one method beats a seed of another."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

import numpy as np
from scipy import stats

from mtl_bench.errors import BenchError
from mtl_bench.results.board import Board
from mtl_bench.results.row import Column, Row

Grid = Sequence[
    tuple[Sequence[Column], Sequence[Row]]
]  # per board its judged metrics and the same methods in one order


def complete_grid(boards: Sequence[Board], methods: Sequence[str], seeds: Sequence[int]) -> Grid:
    """The rows of these methods on every board, each with the values of exactly these seeds.

    A method whose options differ between boards carries all its labels, so that no variant stands under the plain name.
    Raises BenchError naming the first cell that is missing or did not converge: a mean rank over what happens to be
    there would compare methods on different grounds.
    """
    found = [(board.columns, [_complete(board, method, seeds) for method in methods]) for board in boards]
    of_methods = zip(*(rows for _, rows in found), strict=True)
    labels = [" or ".join(dict.fromkeys(row.label for row in rows)) for rows in of_methods]
    return [
        (columns, [replace(row, label=label) for row, label in zip(rows, labels, strict=True)])
        for columns, rows in found
    ]


def _complete(board: Board, method: str, seeds: Sequence[int]) -> Row:
    row = board.row_of(method)
    if row is None and (variants := board.variants_of(method)):
        raise BenchError(
            f"{board.experiment} has several rows of {method} and none as it comes: "
            f"{', '.join(one.label for one in variants)}; leave the method out, or name folders that hold one of them."
        )
    lost = sorted(set(seeds) - set(row.converged if row else ()))
    if row is None or lost:
        told = "did not converge" if row and lost[0] in row.seeds else "is not recorded"
        raise BenchError(
            f"There is no mean rank of an incomplete grid: {method} with seed {lost[0]} on {board.experiment} {told}; "
            "train it, or leave the method out."
        )
    return replace(row, values={seed: row.values[seed] for seed in seeds})


def mean_ranks(grid: Grid) -> dict[str, float]:
    """Label → rank among the rows of the grid, averaged over its boards' metrics; equal values share their mean rank.

    It is a number of this set of rows: leave one out, and the order of the others can change.
    """
    ranks = [
        stats.rankdata([(-1 if column.higher_is_better else 1) * fmean(_column(row, column)) for row in rows])
        for columns, rows in grid
        for column in columns
    ]
    labels = [row.label for row in grid[0][1]]
    return dict(zip(labels, np.mean(ranks, axis=0).tolist(), strict=True))


def probability_better(first: Row, second: Row, columns: Sequence[Column]) -> float:
    """How often a seed of `first` beats a seed of `second`: over all pairs of seeds, then the mean over the metrics.

    An equal pair counts half. Unlike a rank it knows of no third row.
    """
    return fmean(wins(_column(first, c), _column(second, c), c.higher_is_better) for c in columns)


def wins(first: Sequence[float], second: Sequence[float], higher_is_better: bool = True) -> float:
    """Share of pairs in which the first is better, equal ones at half."""
    signs = np.sign(np.subtract.outer(np.asarray(first), np.asarray(second)))
    return float((1 + (signs if higher_is_better else -signs)).mean() / 2)


def _column(row: Row, column: Column) -> list[float]:
    return [values[column.task][column.metric] for values in row.values.values()]


def better_than_next(grid: Grid, ranks: Mapping[str, float]) -> dict[str, float]:
    """Label → chance that a seed of it beats a seed of the row behind it, the mean over boards; not of the last."""
    order = sorted(ranks, key=lambda label: ranks[label])
    tables = [(columns, {row.label: row for row in rows}) for columns, rows in grid]
    return {
        first: fmean(probability_better(rows[first], rows[second], columns) for columns, rows in tables)
        for first, second in pairwise(order)
    }
