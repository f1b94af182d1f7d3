"""A method on every board that holds it: against the plain sum, its place, what it costs, and what failed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mtl_bench.records import Record
from mtl_bench.results.board import Board
from mtl_bench.results.board_csv import delta_m_places
from mtl_bench.results.intervals import Interval, interval
from mtl_bench.results.page.behind import plain_row, runs_behind, time_ratio
from mtl_bench.results.row import Estimate, Row
from mtl_bench.results.sensitivity import Rank
from mtl_bench.results.spread import difference
from mtl_bench.results.worth import trials_of

Outcome = Literal["win", "tie", "loss"]


@dataclass(frozen=True)
class Appearance:
    """One row of a method; `name` is its board's, with its label where that says more.

    `gap` is Δm less that of the plain sum of that board, tuned as the row is, as the board judges its rows; None
    where the two do not compare, as for the plain sum itself. `place` is the rank by Δm among `methods` rows.

    `ratio` is measured time over the plain sum's; `skipped` steps had a non-finite loss or gradient, `missed` residuals
    are those of a solver, of all seeds.
    """

    name: str
    board: Board
    row: Row
    plain: Row | None
    gap: Interval | None
    place: Rank | None
    methods: int
    ratio: float | None
    skipped: int
    missed: int

    @property
    def outcome(self) -> Outcome | None:
        if self.gap is None:
            return None
        return "win" if self.gap.low > 0 else "loss" if self.gap.high < 0 else "tie"

    @property
    def lost(self) -> tuple[int, ...]:
        """Seeds that did not converge."""
        return tuple(seed for seed in self.row.seeds if seed not in self.row.converged)


def appearances(method: str, boards: Sequence[Board]) -> list[Appearance]:
    """Its row with the options of its YAML, or as it was tuned; all its rows where a board has none such. Boards by
    name."""
    found = []
    held = [board.experiment for board in boards if _rows(board, method)]
    for board in sorted(boards, key=lambda board: (board.experiment, board.hash)):
        ranks = delta_m_places(board)
        head = f" · {board.hash[:6]}" if held.count(board.experiment) > 1 else ""
        for row in _rows(board, method):
            plain = plain_row(board, row)
            records = [record for run in runs_behind(board, row) for record in run.values()]
            found.append(
                Appearance(
                    f"{board.experiment}{head}" + ("" if row.label == method or board.tuned_from else f": {row.label}"),
                    board,
                    row,
                    plain,
                    _gap(board, row, plain),
                    ranks.get(row.label),
                    len(ranks),
                    time_ratio(runs_behind(board, row), runs_behind(board, plain)) if plain else None,
                    sum(record["failures"]["nonfinite_steps"] for record in records),
                    sum(record["failures"]["solver"] for record in records),
                )
            )
    return found


def _rows(board: Board, method: str) -> list[Row]:
    if board.tuned_from:  # the searched ones: the others have a board of their own
        searched = [row for row in board.rows if row.is_method and trials_of(row.label)]
        return [row for row in searched if _method(board, row) == method]
    plain = board.row_of(method)
    return [plain] if plain else board.variants_of(method)


def _method(board: Board, row: Row) -> str:
    return next(iter(runs_behind(board, row)[0].values()))["method"]["name"]


def _gap(board: Board, row: Row, plain: Row | None) -> Interval | None:
    if plain is None or row is plain or row.diverged or plain.diverged or board.spread is None:
        return None
    return difference(row.per_seed, plain.per_seed, board.spread) if row.per_seed and plain.per_seed else None


def nests(found: Sequence[Appearance]) -> list[list[Appearance]]:
    """Appearances of one row that differ in their tasks alone, each holding those before it: Δm against K.

    One chain, the longest there is, to every board whose tasks no other holds.
    """
    groups: dict[str, list[Appearance]] = {}
    for one in found:
        runs = runs_behind(one.board, one.row)
        if len(runs) == 1 and one.row.delta_m:
            groups.setdefault(f"{one.row.label} {_all_but_tasks(next(iter(runs[0].values())))}", []).append(one)
    return [chain for group in groups.values() for chain in _longest(group) if len(chain) > 1]


def _longest(group: Sequence[Appearance]) -> list[list[Appearance]]:
    ordered = sorted(group, key=lambda one: len(tasks_of(one)))
    sets, chains = [set(tasks_of(one)) for one in ordered], list[list[Appearance]]()
    for place, one in enumerate(ordered):
        below = [chains[n] for n in range(place) if sets[n] < sets[place]]
        chains.append([*max(below, key=len, default=[]), one])
    return [chain for own, chain in zip(sets, chains, strict=True) if not any(own < other for other in sets)]


def _all_but_tasks(record: Record) -> str:
    kept = {key: value for key, value in record["identity"].items() if key not in ("tasks", "method")}
    return json.dumps([kept, record["selection"]], sort_keys=True)


def tasks_of(one: Appearance) -> list[str]:
    return list(dict.fromkeys(column.task for column in one.board.columns))


def change_on(one: Appearance, tasks: Sequence[str]) -> Estimate:
    """The mean relative change of some of a board's tasks against single-task training, with its interval."""
    columns = [column for column in one.board.columns if column.task in tasks]
    terms = {task: [c.metric for c in columns if c.task == task] for task in tasks}
    better = {task: {c.metric: c.higher_is_better for c in columns if c.task == task} for task in tasks}
    single = next(row.label for row in one.board.rows if row.is_single_task)
    alone = {task: one.board.entries[single].every_seed(task) for task in tasks}
    span = None if one.row.diverged else interval(list(one.row.values.values()), alone, better, "task_mean", terms)
    return Estimate(sum(one.row.changes[task].mean for task in tasks) / len(tasks), span)
