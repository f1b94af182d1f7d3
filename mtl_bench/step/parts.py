"""Disjoint parts of a batch, stratified by label."""

import numpy as np
from jaxtyping import Bool, Int64

from mtl_bench.errors import BenchError


def parts_by_label(
    labelled: Bool[np.ndarray, "batch tasks"] | None, size: int, parts: int
) -> list[Int64[np.ndarray, "part"]]:
    """Host indices of `parts` disjoint parts of nearly equal size, with nearly equal shares of every task's labels.

    Tasks take their turn from the one with the fewest labels on; each of a task's samples that is still free goes to
    the part that has the fewest labels of it, among those with room (iterative stratification: Sechidis, Tsoumakas &
    Vlahavas, ECML 2011). A task may miss a part only where those with fewer labels have left it no choice. Raises
    BenchError for a batch smaller than the number of parts.
    """
    if size < parts:
        raise BenchError(f"A batch of {size} samples cannot be split into {parts} parts; raise batch_size.")
    if labelled is None or labelled.all():
        return [np.arange(part, size, parts) for part in range(parts)]
    return _stratified(labelled, size, parts)


def _stratified(labelled: Bool[np.ndarray, "batch tasks"], size: int, parts: int) -> list[Int64[np.ndarray, "part"]]:
    of = np.full(size, -1)
    room = np.array([len(range(part, size, parts)) for part in range(parts)])
    counts = np.zeros((parts, labelled.shape[1]), dtype=int)
    for task in np.argsort(labelled.sum(axis=0), kind="stable"):
        for sample in np.flatnonzero(labelled[:, task] & (of < 0)):
            few = np.where(room > 0, counts[:, task], size + 1)
            of[sample] = part = int(np.lexsort((-room, few))[0])
            room[part] -= 1
            counts[part] += labelled[sample]
    of[of < 0] = np.repeat(np.arange(parts), room)  # without any label
    return [np.flatnonzero(of == part) for part in range(parts)]
