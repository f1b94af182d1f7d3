"""The same runs under every definition of Δm, and where the ranking changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from mtl_bench.results.board import Board
from mtl_bench.results.change import Directions, Terms, Values, delta_m, task_means
from mtl_bench.results.intervals import interval
from mtl_bench.results.row import Estimate, Row

DEFINITIONS = ("metric_mean", "task_mean", "one_per_task")
Runs = Mapping[str, Sequence[Mapping[str, float]]]  # task → metric → value of every single-task run


@dataclass(frozen=True)
class Ranking:
    """What one definition says: Δm and place of every row, by label; `judged` is what it looks at, in words.

    Places count methods of which every seed converged, and equal ones share their mean place. `tau` is Kendall's τ-b
    with the board's own definition over them, None below two methods or where one definition has all equal.
    """

    definition: str
    judged: str
    delta_m: Mapping[str, Estimate | None]
    places: Mapping[str, float]
    tau: float | None = None


def rankings(board: Board) -> list[Ranking]:
    """The board's own definition first. Alone where every task has one metric, as all definitions then agree, and where
    there is no Δm. `one_per_task` takes the first judged metric of each task.
    """
    own = _ranking(board, board.definition, "", {row.label: row.delta_m for row in board.rows})
    single = next((row for row in board.rows if row.is_single_task and row.delta_m), None)
    if single is None or len(board.columns) == len({column.task for column in board.columns}):
        return [own]
    others = [_other(board, single, name) for name in DEFINITIONS if name != board.definition]
    return [own, *(_beside(own, other) for other in others)]


def _other(board: Board, single: Row, definition: str) -> Ranking:
    terms: dict[str, list[str]] = {}
    up: dict[str, dict[str, bool]] = {}
    for column in board.columns:
        terms.setdefault(column.task, []).append(column.metric)
        up.setdefault(column.task, {})[column.metric] = column.higher_is_better
    if definition == "one_per_task":
        terms = {task: metrics[:1] for task, metrics in terms.items()}
    alone = {task: board.entries[single.label].every_seed(task) for task in terms}
    found: dict[str, Estimate | None] = {single.label: single.delta_m}
    for row in board.rows:
        if not row.is_single_task:
            found[row.label] = _estimate(row, alone, up, definition, terms) if row.delta_m else None
    judged = f"of {', '.join(metric for metrics in terms.values() for metric in metrics)}"
    return _ranking(board, definition, judged if definition == "one_per_task" else "", found)


def _estimate(row: Row, alone: Runs, up: Directions, definition: str, terms: Terms) -> Estimate:
    mean = delta_m(_means(row, terms), task_means(alone, terms), up, definition, terms)
    if row.diverged:
        return Estimate(mean, None)
    return Estimate(mean, interval(list(row.values.values()), alone, up, definition, terms))


def _means(row: Row, terms: Terms) -> Values:
    return {task: {metric: row.metrics[task, metric].mean for metric in metrics} for task, metrics in terms.items()}


def _ranking(board: Board, definition: str, judged: str, found: Mapping[str, Estimate | None]) -> Ranking:
    sound = [row.label for row in board.rows if not row.diverged and row.is_method]
    means = {label: estimate.mean for label in sound if (estimate := found[label])}
    ranks = stats.rankdata([-mean for mean in means.values()]).tolist()
    return Ranking(definition, judged, found, dict(zip(means, ranks, strict=True)))


def _beside(own: Ranking, other: Ranking) -> Ranking:
    places = [[ranking.places[label] for label in own.places] for ranking in (own, other)]
    tau = float(stats.kendalltau(*places).statistic) if all(len(set(each)) > 1 for each in places) else None
    return Ranking(other.definition, other.judged, other.delta_m, other.places, tau)
