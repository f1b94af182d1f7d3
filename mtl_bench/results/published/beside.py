"""Ours beside the paper's, cell by cell, with the difference in standard errors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

import numpy as np
from scipy import stats

from mtl_bench.records import Record
from mtl_bench.results.board import Board
from mtl_bench.results.change import term_weights
from mtl_bench.results.intervals import LEVEL, variance_parts
from mtl_bench.results.published.catalogue import PaperTable, printed_rows
from mtl_bench.results.published.printed import Printed
from mtl_bench.results.published.printed_names import PrintedNames
from mtl_bench.results.published.trained_board import Trained
from mtl_bench.results.row import Row


@dataclass(frozen=True)
class Beside:
    """One cell of a paper and our value of it. Δm is higher-is-better in both, whatever the paper's sign.

    `error` is the standard error of ours and `difference_error` that of ours minus the paper's; None with one seed.
    """

    printed_as: str
    metric: str
    paper: float
    places: int
    ours: float
    seeds: int
    error: float | None
    difference_error: float | None

    @property
    def difference(self) -> float:
        return self.ours - self.paper

    @property
    def in_errors(self) -> float | None:
        return self.difference / self.difference_error if self.difference_error else None


@dataclass(frozen=True)
class Noise:
    """Standard error of our mean, and the standard deviation of a number that has one seed of every run."""

    error: float
    of_one_seed: float


def beside(table: PaperTable, trained: Trained, names: PrintedNames) -> list[Beside]:
    """Every cell of the table that a converged row of the board has a value for, in print's order."""
    runs: dict[str, dict[int, Record]] = {}
    for record in trained.records:
        if record["selection"] == trained.board.selection:
            runs.setdefault(record["hash"], {})[record["seed"]] = record
    found = []
    for printed_as, cells in printed_rows(table).items():
        row = trained.row(table, names, printed_as)
        if row is not None and not row.diverged:
            found += list(_row(table, trained.board, row, runs, names, printed_as, cells))
    return found


def same_delta(table: PaperTable, board: Board, names: PrintedNames, metric: str) -> bool:
    """Whether the printed Δm is over single-task runs and weighs the same metrics as the board's. Where no cells are
    printed, its name says it."""
    if table.baseline_name is not None and table.baseline_name not in names.single_task:
        return False
    definition = table.deltas[metric]
    if definition in table.judged or not table.judged:
        return definition == board.definition
    theirs = {table.ours(name): weight for (_, name), weight in term_weights(definition, table.terms).items()}
    terms: dict[str, list[str]] = {}
    for column in board.columns:
        terms.setdefault(column.task, []).append(column.metric)
    return theirs == term_weights(board.definition, terms)


def _row(
    table: PaperTable,
    board: Board,
    row: Row,
    runs: Mapping[str, Mapping[int, Record]],
    names: PrintedNames,
    printed_as: str,
    cells: Mapping[str, Printed],
) -> Iterator[Beside]:
    for metric, cell in cells.items():
        if metric in table.deltas:
            if row.delta_m is not None and not row.is_single_task and same_delta(table, board, names, metric):
                span = row.delta_m.interval
                error = span.half / float(stats.t.ppf((1 + LEVEL) / 2, span.df)) if span else None
                noise = None if error is None else Noise(error, _one_seed_each(board, row))
                yield _cell(table, printed_as, metric, cell, cell.sign, row.delta_m.mean, len(row.per_seed), noise)
        elif not table.other_units and (term := table.ours(metric)):
            values = _values(row, runs, *term)
            if values:
                one = stdev(values) if len(values) > 1 else None
                noise = None if one is None else Noise(one / sqrt(len(values)), one)
                yield _cell(table, printed_as, metric, cell, 1, fmean(values), len(values), noise)


def _values(row: Row, runs: Mapping[str, Mapping[int, Record]], task: str, metric: str) -> list[float]:
    """Of the run that serves the task: a method's only one, or all seeds of the task's own single-task run."""
    for digest in row.hashes:
        seeds = sorted(runs[digest]) if row.is_single_task and row.delta_m else row.converged
        records = [runs[digest][seed] for seed in seeds if seed in runs[digest]]
        if records and task in records[0]["test"] and metric in records[0]["test"][task]:
            return [record["test"][task][metric] for record in records]
    return []


def _one_seed_each(board: Board, row: Row) -> float:
    """Standard deviation of Δm from one seed of the method and one of every single-task run: we may have more of these
    than of the method, and the paper is taken to have as many of both."""
    single = next(one for one in board.rows if one.is_single_task)
    terms: dict[str, list[str]] = {}
    better: dict[str, dict[str, bool]] = {}
    for column in board.columns:
        terms.setdefault(column.task, []).append(column.metric)
        better.setdefault(column.task, {})[column.metric] = column.higher_is_better
    alone = {task: board.entries[single.label].every_seed(task) for task in terms}
    found = variance_parts(list(row.values.values()), alone, better, board.definition, terms)
    return sqrt(sum(float(np.var(part, ddof=1)) for part in found[1])) if found else 0.0


def _cell(
    table: PaperTable,
    printed_as: str,
    metric: str,
    cell: Printed,
    sign: int,
    ours: float,
    seeds: int,
    noise: Noise | None,
) -> Beside:
    error = noise.error if noise else None
    whole = sqrt(noise.error**2 + _paper_variance(table, cell, noise.of_one_seed)) if noise else None
    return Beside(printed_as, metric, sign * float(cell.value), cell.places, ours, seeds, error, whole)


def _paper_variance(table: PaperTable, cell: Printed, deviation: float) -> float:
    """Of the printed mean: the standard error it prints, else seeds that vary as ours do (`deviation`, of a Δm with the
    single-task runs'); and rounding, uniform over a unit of the last digit. Nothing but rounding where it does not say
    how many seeds it is the mean of."""
    rounding = float(2 * cell.half) ** 2 / 12
    if cell.spread is not None and table.spread == "standard_error":
        return cell.spread**2 + rounding
    return (deviation**2 / cell.seeds if cell.seeds else 0.0) + rounding
