"""Memory of K × P gradient rows, reused as soon as its owner is gone, and of the direction made of them."""

import math
import weakref
from collections.abc import Sequence
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor


class RowBuffers:
    """Hands out one buffer per live owner: shared ones would alias the rows of independent batches (SDMGrad's bug)."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.columns = sum(parameter.numel() for parameter in parameters)
        self.like = parameters[0] if parameters else torch.empty(0)
        self.dtype = reduce(torch.promote_types, (p.dtype for p in parameters), self.like.dtype)  # of the finest part
        self._taken: list[tuple[weakref.ref[object], Float[Tensor, "numel"]]] = []
        self._direction: Float[Tensor, "P"] | None = None

    def direction(self) -> Float[Tensor, "P"]:
        """The same at every call: each direction takes the place of the last in `.grad`. Memory of this size comes page
        by page from the system, at every step anew.
        """
        if self._direction is None:
            self._direction = torch.empty(self.columns, dtype=self.dtype, device=self.like.device)
        return self._direction

    def free(self, rows: int, columns: int | None = None) -> Float[Tensor, "rows columns"]:
        """A buffer that no living owner holds, P columns if nothing is said; call `give` before asking for the next."""
        shape = (rows, self.columns if columns is None else columns)
        for owner, memory in self._taken:
            if owner() is None and len(memory) >= math.prod(shape):
                return memory[: math.prod(shape)].view(shape)
        return torch.empty(shape, dtype=self.dtype, device=self.like.device)

    def give(self, buffer: Tensor, owner: object) -> None:
        storage = buffer.data_ptr()
        kept = [(ref, b) for ref, b in self._taken if ref() is not None and b.data_ptr() != storage]
        whole = next((b for _, b in self._taken if b.data_ptr() == storage), buffer.view(-1))
        self._taken = [*kept, (weakref.ref(owner), whole)]
