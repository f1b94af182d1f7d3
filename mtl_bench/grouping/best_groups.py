"""The best set of task groups within a budget, exactly."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.grouping.scores import GroupScores, pairwise_scores

Groups = tuple[tuple[int, ...], ...]
TIE = 1e-12  # relative; smaller gains are rounding and buy no further group


class ChosenGroups(NamedTuple):
    """Chosen groups (a group may train tasks that it does not serve), the group that serves each task, and the value.

    `value` is the mean over tasks of the serving group's score.
    """

    groups: Groups
    serving: tuple[int, ...]  # [K] positions in `groups`
    value: float


def select_groups(scores: Any, budget: int) -> ChosenGroups:
    """At most `budget` groups that maximise (1/K) Σ_j max over chosen G with j in G of score_j(G) (Fifty et al. 2021).

    `scores` is a K × K affinity matrix, [source, target], tensor or array (`pairwise_scores` makes group scores of it),
    `GroupScores`, or a mapping {group of task numbers: score of each member, in the order of the group}. Higher is
    better. Exact by dynamic programming over the subsets of tasks that a group serves: O(3^K). Of equal sets one
    with the fewest groups is returned.

    Raises BenchError for a budget below 1, scores that are not finite, or tasks that no allowed set covers.
    """
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer) or budget < 1:
        raise BenchError(f"The budget is a number of groups, 1 or more; got {budget!r}.")
    members, values = _table(scores)
    K = members.shape[1]
    best, group_of = _best_by_served(members, values)
    gain, served = _cover(best, K, min(int(budget), K))
    everything = (1 << K) - 1
    top = gain[-1, everything]
    if top == -np.inf:
        raise BenchError(f"No {budget} of these groups cover all {K} tasks; raise the budget or score more groups.")
    shared = values[members & (members.sum(axis=1, keepdims=True) > 1)]
    scale = np.abs(shared).max(initial=abs(top))  # scores as they are, so that their unit changes no choice
    enough = int(np.argmax(gain[:, everything] >= top - TIE * scale))
    chosen, left = set(), everything
    for row in range(enough, 0, -1):
        part = int(served[row, left])
        chosen.add(int(group_of[part]))
        left ^= part
    return _serve(members, values, sorted(chosen))


def realised_value(chosen: ChosenGroups, results: Mapping[tuple[int, ...], Sequence[float]]) -> float:
    """Mean over tasks of what the serving group really gave: `results` as the explicit scores of `select_groups`.

    The groups and who serves whom stay as chosen by prediction. Raises BenchError for a group without a result.
    """
    known = {tuple(sorted(group)): dict(zip(group, row, strict=True)) for group, row in results.items()}
    missing = [group for group in chosen.groups if group not in known]
    if missing:
        raise BenchError(f"There is no result for group {missing[0]}; train it first.")
    return float(np.mean([known[chosen.groups[g]][task] for task, g in enumerate(chosen.serving)]))


def _table(scores: Any) -> GroupScores:
    if isinstance(scores, GroupScores):
        if not np.isfinite(scores.scores[scores.members]).all():
            raise BenchError("A group has a score that is not finite; leave the group out, or measure it again.")
        return scores
    if not isinstance(scores, Mapping):
        return pairwise_scores(scores.detach().cpu().numpy() if isinstance(scores, Tensor) else scores)
    tasks = {task for group in scores for task in group}
    if tasks != set(range(len(tasks))) or not tasks:
        raise BenchError(f"Groups name tasks by numbers from 0 on without a gap; got {sorted(tasks)}.")
    ordered = sorted(scores, key=lambda group: (len(group), sorted(group)))
    members = np.zeros((len(scores), len(tasks)), dtype=bool)
    values = np.full(members.shape, -np.inf)
    for row, group in enumerate(ordered):
        given = np.asarray(scores[group], dtype=np.float64)
        if len(set(group)) != len(group) or given.shape != (len(group),) or not np.isfinite(given).all():
            raise BenchError(
                f"Group {tuple(group)} needs one finite score for each of its tasks; got {given.tolist()}."
            )
        members[row, list(group)], values[row, list(group)] = True, given
    return GroupScores(members, values)


@cache
def _bits(size: int) -> Float[np.ndarray, "subsets size"]:
    """Every subset of `size` things as a row of zeros and ones."""
    return ((np.arange(1 << size)[:, None] >> np.arange(size)) & 1).astype(np.float64)


def _best_by_served(members: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each subset of tasks, as a bit mask: the largest sum of scores that one group serving them has, and which."""
    best = np.full(1 << members.shape[1], -np.inf)
    group_of = np.full(best.shape, -1)
    for number, inside in enumerate(members):
        tasks = np.flatnonzero(inside)
        masks = (_bits(len(tasks)) @ (2.0**tasks)).astype(np.int64)  # exact below 2^53
        sums = _bits(len(tasks)) @ values[number, tasks]
        better = sums > best[masks]
        best[masks[better]], group_of[masks[better]] = sums[better], number
    return best, group_of


def _cover(
    best: Float[np.ndarray, "subsets"], K: int, budget: int
) -> tuple[Float[np.ndarray, "rows subsets"], Int[np.ndarray, "rows subsets"]]:
    """gain[b, S]: best sum for the tasks S with exactly b served parts; served[b, S]: the part with S's lowest task."""
    gain = np.full((budget + 1, len(best)), -np.inf)
    gain[0, 0] = 0.0
    served = np.zeros(gain.shape, dtype=np.int64)
    for wanted in range(1, len(best)):
        tasks = np.flatnonzero((wanted >> np.arange(K)) & 1)
        rest = (_bits(len(tasks) - 1) @ (2.0 ** tasks[1:])).astype(np.int64)  # parts without the lowest task
        parts = rest | (1 << int(tasks[0]))
        sums = best[parts] + gain[:-1, wanted ^ parts]
        chosen = sums.argmax(axis=1)
        gain[1:, wanted] = sums[np.arange(budget), chosen]
        served[1:, wanted] = parts[chosen]
    return np.maximum.accumulate(gain, axis=0), served


def _serve(members: np.ndarray, values: np.ndarray, chosen: Sequence[int]) -> ChosenGroups:
    """Each task goes to the chosen group with its best score, the smaller one if equal; idle groups are left out."""
    serving = values[list(chosen)].argmax(axis=0)
    used = sorted(set(serving.tolist()))
    groups = tuple(tuple(np.flatnonzero(members[chosen[g]]).tolist()) for g in used)
    value = values[list(chosen)].max(axis=0).mean()
    return ChosenGroups(groups, tuple(used.index(g) for g in serving.tolist()), float(value))
