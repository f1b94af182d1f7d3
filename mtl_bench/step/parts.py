"""Disjoint parts of a batch, stratified by label."""

import numpy as np
from jaxtyping import Bool, Int64

from mtl_bench.errors import BenchError


def parts_by_label(
    labelled: Bool[np.ndarray, "batch tasks"] | None, size: int, parts: int
) -> list[Int64[np.ndarray, "part"]]:
    """Host indices of `parts` disjoint parts of nearly equal size, with nearly equal shares of every task's labels.

    Samples are ordered by their pattern of labels and dealt out in turn, so a task with at least `parts` labelled
    samples of one pattern appears in every part. Raises BenchError for a batch smaller than the number of parts.
    """
    if size < parts:
        raise BenchError(f"A batch of {size} samples cannot be split into {parts} parts; raise batch_size.")
    order = np.arange(size) if labelled is None else np.lexsort(labelled.T)
    return [np.sort(order[part::parts]) for part in range(parts)]
