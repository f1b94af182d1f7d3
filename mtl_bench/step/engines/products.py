"""Inner products of gradient rows."""

import torch
from jaxtyping import Float
from torch import Tensor

LONG = 2**22  # entries from which a few rows are more than a cache holds
PIECE = 2**14  # entries of a row that stay in the cache beside those of ten others


def products(rows: Float[Tensor, "k P"], others: Float[Tensor, "j P"]) -> Float[Tensor, "k j"]:
    """rows · othersᵀ, in fp32 at least. Of long rows, whose shape matrix products are slow at, as those of pieces,
    added in double precision: one pass over memory.
    """
    if rows.dtype.itemsize < torch.float32.itemsize:  # fp16 ends at 65,504, bf16 has two digits
        return products(rows.float(), others.float())
    length = rows.shape[1]
    if length < LONG:
        return rows @ others.T
    whole = length - length % PIECE
    ours, theirs = (matrix[:, :whole].unflatten(1, (-1, PIECE)).transpose(0, 1) for matrix in (rows, others))
    rest = rows[:, whole:] @ others[:, whole:].T
    return torch.bmm(ours, theirs.transpose(1, 2)).double().sum(dim=0) + rest
