"""How good a group of tasks is for each of its members, as far as pairs can tell."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from mtl_bench.errors import BenchError

Pairs = Float[Tensor | np.ndarray, "K K"] | Sequence[Sequence[float]]
PerTask = Float[Tensor | np.ndarray, "K"] | Sequence[float]
SCORE_OF_ONE = -1e6  # released TAG code: a network for one task is effectively forbidden
MOST_TASKS = 20  # beyond it all groups no longer fit in memory


class GroupScores(NamedTuple):
    """Score of each group for each of its members, higher better; −inf for tasks outside it."""

    members: Bool[np.ndarray, "groups K"]
    scores: Float[np.ndarray, "groups K"]


def pairwise_scores(affinity: Pairs, single: float | PerTask = SCORE_OF_ONE) -> GroupScores:
    """All 2^K − 1 groups from pairs: score_j(G) = mean over i in G, i ≠ j of affinity[i, j] (Fifty et al. 2021).

    `affinity` is [source, target], higher better; its diagonal is not read. `single` is the score of a group of one
    (one number, or one per task). Groups come in order of size, then of their tasks.

    Raises BenchError when the matrix is not square, has more than 20 tasks, or is not finite off the diagonal.
    """
    try:
        matrix = np.array(affinity, dtype=np.float64)
    except ValueError:
        raise BenchError("Affinities are rows of equal length, one per source task; these are not.") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not 1 <= len(matrix) <= MOST_TASKS:
        raise BenchError(
            f"Affinities are a square [source, target] matrix of at most {MOST_TASKS} tasks; got {matrix.shape}."
        )
    K = len(matrix)
    np.fill_diagonal(matrix, 0.0)
    if not np.isfinite(matrix).all():
        source, target = np.argwhere(~np.isfinite(matrix))[0]
        raise BenchError(f"The affinity of task {source} onto task {target} is not finite; measure more batches.")
    groups = [group for size in range(1, K + 1) for group in combinations(range(K), size)]
    members = np.zeros((len(groups), K), dtype=bool)
    for row, group in enumerate(groups):
        members[row, list(group)] = True
    others = members.sum(axis=1, keepdims=True) - 1
    scores = (members @ matrix) / np.maximum(others, 1)
    scores = np.where(others == 0, np.asarray(single, dtype=np.float64), scores)
    return GroupScores(members, np.where(members, scores, -np.inf))


def higher_order_approximation(single: PerTask, pairs: Pairs) -> GroupScores:
    """HOA (Standley et al., ICML 2020): what single-task and pair networks predict for larger groups, minus the loss.

    `single[j]` is the loss of task j alone, `pairs[j, i]` its loss when trained with task i. A larger group is
    predicted by the mean over its pairs: score_j(G) = −mean over i ≠ j of pairs[j, i].
    """
    return pairwise_scores(-np.asarray(pairs, dtype=np.float64).T, -np.asarray(single, dtype=np.float64))


def random_partition(tasks: int, budget: int, generator: np.random.Generator) -> tuple[tuple[int, ...], ...]:
    """A partition of the tasks into min(`budget`, tasks) groups, uniform over assignments without an empty group."""
    if tasks < 1 or budget < 1:
        raise BenchError(
            f"A random partition needs at least one task and a budget of at least one; got {tasks}, {budget}."
        )
    groups = min(budget, tasks)
    if groups == tasks:  # one way, which drawing would rarely hit
        return tuple((task,) for task in range(tasks))
    while True:
        owner = generator.integers(groups, size=tasks)
        if len(np.unique(owner)) == groups:
            found: Sequence[tuple[int, ...]] = [tuple(np.flatnonzero(owner == g).tolist()) for g in range(groups)]
            return tuple(sorted(found))
