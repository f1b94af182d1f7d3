"""A validation split of an official training split that comes without one."""

from collections.abc import Mapping, Sequence

import numpy as np

from mtl_bench.data.official.inventory import Sample
from mtl_bench.errors import BenchError


def hold_out(expected: Mapping[str, Sequence[Sample]], count: int, seed: int) -> dict[str, Sequence[Sample]]:
    """`count` random samples of `train` become `val`, both in their order; 0: there is no `val`.

    Raises BenchError when no training sample is left.
    """
    train = expected["train"]
    if not 0 <= count < len(train):
        raise BenchError(f"There are {len(train)} training samples; val={count} cannot be held out.")
    if not count:
        return dict(expected)
    chosen = np.random.RandomState(seed).permutation(len(train))  # a frozen stream: the same on any NumPy
    return hold_out_rows(expected, chosen[:count].tolist())


def hold_out_rows(expected: Mapping[str, Sequence[Sample]], rows: Sequence[int]) -> dict[str, Sequence[Sample]]:
    """The samples of `train` at `rows` become `val`, both in their order."""
    train, held = expected["train"], set(rows)
    return {
        "train": [sample for row, sample in enumerate(train) if row not in held],
        "val": [train[row] for row in sorted(held)],
        "test": expected["test"],
    }
