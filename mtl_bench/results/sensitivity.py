"""How far a rank moves when something is left out that has no say in which of two methods is better."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from mtl_bench.results.mean_ranks import Grid

Scores = Callable[[Grid], Mapping[str, float]]  # label → what rows are ranked by, lower better
Range = tuple[float, float]


@dataclass(frozen=True)
class Rank:
    """A rank among the rows of a table, equal ones sharing their mean, and its range when one thing is left out.

    `less_a_method` is about the order of the others: who left goes on counting where it stood, so that nobody moves up
    by that alone. None with one task, which cannot be left out.
    """

    place: float
    less_a_method: Range
    less_a_task: Range | None


def places(grid: Grid, scores: Scores) -> dict[str, Rank]:
    """Label → place. Every row is left out once, and every task of every board (benchbench, ICML 2024)."""
    full = scores(grid)
    whole = _ranked(full)
    fewer = [_shifts(_less(full, label), scores(_less_row(grid, label))) for label in full if len(full) > 1]
    other = [_shifts(full, scores(smaller)) for smaller in _less_a_task(grid)]
    return {
        label: Rank(place, _range(place, fewer, label), _range(place, other, label) if other else None)
        for label, place in whole.items()
    }


def delta_m_scores(definition: str) -> Scores:
    """By Δm over the tasks that are there; rows with a diverged seed behind all others, as on the board.

    No other row enters Δm, so leaving one out moves nothing: what distinguishes it from a mean rank.
    """

    def scores(grid: Grid) -> dict[str, float]:
        ((columns, rows),) = grid
        metrics = Counter(column.task for column in columns)
        weights = metrics if definition == "metric_mean" else dict.fromkeys(metrics, 1)
        keys = {}
        for row in rows:
            changes = {task: row.changes[task].mean for task in weights if task in row.changes}
            delta = sum(weights[task] * change for task, change in changes.items()) / sum(weights.values())
            keys[row.label] = (row.diverged, -len(row.converged) if row.diverged else 0, -delta)
        order = sorted(set(keys.values()))
        return {label: float(order.index(key)) for label, key in keys.items()}

    return scores


def _less_row(grid: Grid, label: str) -> Grid:
    return [(columns, [row for row in rows if row.label != label]) for columns, rows in grid]


def _less_a_task(grid: Grid) -> Iterator[Grid]:
    for number, (columns, rows) in enumerate(grid):
        for task in dict.fromkeys(column.task for column in columns):
            left = [column for column in columns if column.task != task]
            smaller = [*grid[:number], *([(left, rows)] if left else []), *grid[number + 1 :]]
            if smaller:
                yield smaller


def _ranked(scores: Mapping[str, float]) -> dict[str, float]:
    return dict(zip(scores, stats.rankdata(list(scores.values())).tolist(), strict=True))


def _less(scores: Mapping[str, float], label: str) -> dict[str, float]:
    return {name: score for name, score in scores.items() if name != label}


def _shifts(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    was, now = _ranked(before), _ranked(after)
    return {label: now[label] - was[label] for label in was}


def _range(place: float, shifts: Sequence[Mapping[str, float]], label: str) -> Range:
    found = [0.0, *(moved[label] for moved in shifts if label in moved)]
    return place + min(found), place + max(found)


def span_text(found: Range | None) -> str:
    """`2–4`, or `3` where nothing moves."""
    if found is None:
        return "–"
    low, high = found
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"
