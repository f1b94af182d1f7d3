"""Two rows of one board, seed by seed: per task and in Δm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from mtl_bench.errors import BenchError
from mtl_bench.results.board import Board
from mtl_bench.results.change import Values, at, term_slopes
from mtl_bench.results.intervals import Interval, holm, paired_difference, unpaired_difference
from mtl_bench.results.mean_ranks import probability_better, wins
from mtl_bench.results.row import Column, Row
from mtl_bench.results.spread import difference

ALPHA = 0.05
Verdict = Literal["gains", "loses", "not told apart"]


@dataclass(frozen=True)
class Gap:
    """How far the first is ahead of the second, in percent of what both are divided by.

    `seeds` are the differences of the shared seeds. `p` of a task is adjusted for all tasks (Holm). No interval, and
    nothing told apart, where a seed diverged or one of the two has a single seed. `better` is the share of pairs of
    seeds in which the first is ahead, the mean over the task's metrics.
    """

    name: str
    first: float
    second: float
    seeds: tuple[float, ...]
    interval: Interval | None
    p: float | None
    better: float

    @property
    def mean(self) -> float:
        return self.first - self.second

    @property
    def verdict(self) -> Verdict:
        if self.p is None or self.p >= ALPHA:
            return "not told apart"
        return "gains" if self.mean > 0 else "loses"


@dataclass(frozen=True)
class Comparison:
    """`shared` are the seeds that pair the two; below two of them all seeds of both are compared unpaired.

    `delta_m` is None without single-task runs; tasks are then relative to the means of the second row, `zero` ones of
    which there is no change left out; `reference` is the row that changes are relative to. `pooled` is the difference
    in Δm by the spread that the board judges its rows by. `better` is over all seeds and metrics.
    """

    board: Board
    first: Row
    second: Row
    reference: Row
    shared: tuple[int, ...]
    delta_m: Gap | None
    tasks: tuple[Gap, ...]
    better: float
    pooled: Interval | None
    zero: tuple[str, ...] = ()

    @property
    def paired(self) -> bool:
        return len(self.shared) > 1

    @property
    def diverged(self) -> tuple[Row, ...]:
        return tuple(row for row in (self.first, self.second) if row.diverged)


def find_pairs(boards: Sequence[Board], first: str, second: str) -> list[Comparison]:
    """One comparison per board that holds both rows, named by label or method.

    Raises BenchError when a row is nowhere, both are one, or no board holds both: rows of different protocols.
    """
    where = {name: [board for board in boards if _row(board, name)] for name in (first, second)}
    for name, found in where.items():
        if not found:
            known = dict.fromkeys(row.label for board in boards for row in board.rows if not row.is_single_task)
            raise BenchError(f"No row is called {name!r} here; there are: {', '.join(known)}.")
    both = [board for board in where[first] if board in where[second]]
    if not both:
        one, other = (f"{name} is on {_told(where[name][0])}" for name in (first, second))
        raise BenchError(
            f"Rows of different protocols are not compared: {one}, {other}; train one of them where the other is."
        )
    return [compare_rows(board, _sure(board, first), _sure(board, second)) for board in both]


def compare_rows(board: Board, first: Row, second: Row) -> Comparison:
    """Raises BenchError when a row is compared with itself or with the single-task row, or has no converged seed."""
    if first is second:
        raise BenchError(f"{first.label} is compared with itself; name two rows.")
    for row in (first, second):
        if row.is_single_task:
            raise BenchError("Δm is the comparison with single-task networks; see `mtl-bench report`.")
        if not row.values:
            raise BenchError(f"No seed of {row.label} converged on {board.experiment}, so there is nothing to compare.")
    single = next((row for row in board.rows if row.is_single_task), None)
    relative = single is not None and first.delta_m is not None
    reference = single if relative and single is not None else second
    zero = [c.task for c in board.columns if not relative and second.metrics[c.task, c.metric].mean == 0]
    columns = [column for column in board.columns if column.task not in zero]
    if not columns:
        raise BenchError(
            f"Every task of {second.label} has a mean of zero, so nothing is relative to it; train single-task runs."
        )
    changes = [task_changes(columns, reference, row.values) for row in (first, second)]
    whole = not (first.diverged or second.diverged)
    gaps = []
    for task, own in _by_task(columns).items():
        gaps.append(_gap(task, changes[0][task], changes[1][task], probability_better(first, second, own), whole))
    chance = wins(list(first.per_seed.values()), list(second.per_seed.values())) if relative else 0.5
    return Comparison(
        board=board,
        first=first,
        second=second,
        reference=reference,
        shared=tuple(sorted(first.values.keys() & second.values.keys())),
        delta_m=_gap("Δm", first.per_seed, second.per_seed, chance, whole) if relative else None,
        tasks=_adjusted(gaps),
        better=probability_better(first, second, board.columns),
        pooled=difference(first.per_seed, second.per_seed, board.spread) if whole and board.spread else None,
        zero=tuple(dict.fromkeys(zero)),
    )


def _row(board: Board, name: str) -> list[Row]:
    exact = board.row_of(name)
    return [exact] if exact else [row for row in board.rows if row.label.partition(" (")[0] == name]


def _sure(board: Board, name: str) -> Row:
    found = _row(board, name)
    if len(found) > 1:
        raise BenchError(
            f"{name} is {len(found)} rows of {board.experiment}: "
            f"{', '.join(repr(row.label) for row in found)}; write one of them in full."
        )
    return found[0]


def _told(board: Board) -> str:
    return f"{board.experiment} ({board.hash[:12]})"


def _by_task(columns: Sequence[Column]) -> dict[str, list[Column]]:
    found: dict[str, list[Column]] = {}
    for column in columns:
        found.setdefault(column.task, []).append(column)
    return found


def task_changes(
    columns: Sequence[Column], reference: Row, values: Mapping[int, Values]
) -> dict[str, dict[int, float]]:
    """Task → seed → relative change in percent; inside a task its metrics weigh alike."""
    found = {}
    for task, own in _by_task(columns).items():
        base = {task: {c.metric: reference.metrics[task, c.metric].mean for c in own}}
        better = {task: {c.metric: c.higher_is_better for c in own}}
        slopes = term_slopes(base, better, "task_mean", {task: [c.metric for c in own]})
        found[task] = {
            seed: sum(slope * (at(run, term) - at(base, term)) for term, slope in slopes.items())
            for seed, run in values.items()
        }
    return found


def _gap(name: str, first: Mapping[int, float], second: Mapping[int, float], better: float, whole: bool) -> Gap:
    """`whole`: no seed diverged. Seed → change in percent of both."""
    shared = sorted(first.keys() & second.keys())
    paired = len(shared) > 1
    a, b = ([table[seed] for seed in (shared if paired else table)] for table in (first, second))
    span = (paired_difference(first, second) if paired else unpaired_difference(a, b)) if whole else None
    ahead = tuple(first[seed] - second[seed] for seed in shared) if paired else ()
    return Gap(name, fmean(a), fmean(b), ahead, span, span.p_value if span else None, better)


def _adjusted(gaps: Sequence[Gap]) -> tuple[Gap, ...]:
    known = [gap.p for gap in gaps if gap.p is not None]
    if len(known) < len(gaps):
        return tuple(gaps)
    return tuple(replace(gap, p=p) for gap, p in zip(gaps, holm(known), strict=True))
