"""Exact k-means on a line."""

import numpy as np
from jaxtyping import Float


def kmeans_1d(values: Float[np.ndarray, "k"], clusters: int) -> tuple[Float[np.ndarray, "k"], float]:
    """The centre of each value's cluster, and by how much, of the range, a value lies nearer to another centre.

    On a line the best clusters are runs of the sorted values, so that dynamic programming over their ends finds the
    least sum of squares: O(clusters · k²), and no start that could matter. 1 ≤ `clusters` ≤ k.
    """
    k = len(values)
    if clusters in (1, k):
        return np.full(k, values.mean()) if clusters == 1 else values.copy(), 0.0
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    costs = _costs(ordered)
    ends: list[np.ndarray] = []  # of every number of clusters but the first: where the last one begins
    best = costs[0]  # of the values up to each one, in one cluster
    for _ in range(1, clusters):
        shifted = np.concatenate([[0.0], best[:-1]])
        totals = shifted[:, None] + costs
        ends.append(totals.argmin(axis=0))
        best = totals.min(axis=0)
    centres, stop = np.empty(k), k
    for begins in reversed([np.zeros(k, dtype=int), *ends]):
        if stop == 0:
            break  # fewer clusters did as well
        start = begins[stop - 1]
        centres[start:stop] = ordered[start:stop].mean()
        stop = start
    found = np.empty(k)
    found[order] = centres
    distance = np.abs(values[:, None] - centres[None, :]).min(axis=1)
    spread = ordered[-1] - ordered[0]
    return found, float((np.abs(values - found) - distance).max() / spread) if spread > 0 else 0.0


def _costs(ordered: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k k"]:
    """Sum of squares of the values from the row's to the column's around their mean; infinite below the diagonal.

    Updated value by value: differences of prefix sums would cancel where one cluster is far smaller than the range.
    """
    k = len(ordered)
    costs, means = np.full((k, k), np.inf), np.zeros(k)
    current = np.zeros(k)
    for last in range(k):
        n = np.arange(last, -1, -1)  # values that each run holds before this one
        gap = ordered[last] - means[: last + 1]
        current[: last + 1] += gap * gap * n / (n + 1)
        means[: last + 1] += gap / (n + 1)
        costs[: last + 1, last] = current[: last + 1]
    return costs
