"""How well an affinity matrix predicts what tasks gain from each other: Spearman's rank correlations."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

from mtl_bench.grouping import pairwise_scores
from mtl_bench.pipeline.trained import Gains


def correlation_with_pairs(matrix: Float[np.ndarray, "K K"], gains: Float[np.ndarray, "K K"]) -> float | None:
    """Of a matrix with the gains of pairs (`pair_gains`), both [source, target], off the diagonal.

    Pairs that either does not know (NaN) are left out. None where either knows fewer than two different values.
    """
    known = ~np.eye(len(matrix), dtype=bool) & np.isfinite(matrix) & np.isfinite(gains)
    return _spearman(matrix[known].tolist(), gains[known].tolist())


def correlation_with_groups(matrix: Float[np.ndarray, "K K"], gains: Gains) -> float | None:
    """Of what the matrix predicts for each member of each group of two or more (`pairwise_scores`) with its gain.

    None where either has fewer than two different values. Raises BenchError as `pairwise_scores` does.
    """
    members, scores = pairwise_scores(matrix)
    rows = {tuple(np.flatnonzero(inside).tolist()): row for inside, row in zip(members, scores, strict=True)}
    shared = [group for group in gains if len(group) > 1]
    predicted = [float(rows[tuple(sorted(group))][task]) for group in shared for task in group]
    return _spearman(predicted, [gain for group in shared for gain in gains[group]])


def _spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    if min(len(set(one)), len(set(other))) < 2:
        return None
    return float(stats.spearmanr(one, other).statistic)
