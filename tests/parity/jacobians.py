"""Random task gradients of every kind that methods are compared on."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

KINDS = ("well conditioned", "badly conditioned", "rank-deficient", "zero row", "duplicate rows", "opposite rows")
INDEPENDENT = KINDS[:2]


def jacobians(count: int, kinds: tuple[str, ...] = KINDS) -> Iterator[tuple[str, Float[Tensor, "k P"]]]:
    """`count` matrices of 2 to 11 rows in float64, the kinds in turn, always the same; most have conflicts.

    Badly conditioned ones have norms over four orders of magnitude and two rows that are within a hundredth of parallel
    or opposite.
    """
    draw = torch.Generator().manual_seed(0)
    for n in range(count):
        kind = kinds[n % len(kinds)]
        k = 2 + n // len(kinds) % 10
        columns = max(1, k - 1 - n % 2) if kind == "rank-deficient" else k + 3
        rows = torch.randn(k, columns, generator=draw, dtype=torch.float64)
        sign = 1.0 - 2 * (n // len(kinds) % 2)
        if kind == "badly conditioned":
            rows[1] = sign * rows[0] + 0.01 * rows[1]
            rows *= 10 ** (4 * torch.rand(k, 1, generator=draw, dtype=torch.float64) - 2)
        elif kind == "zero row":
            rows[n % k] = 0
        elif kind == "duplicate rows":
            rows[1] = rows[0]
        elif kind == "opposite rows":
            rows[1] = -rows[0]
        yield kind, rows
