"""Memory of K × P gradient rows, reused as soon as its owner is gone, and of the direction made of them."""

import math
import weakref
from collections.abc import Sequence
from functools import cached_property, reduce

import torch
from jaxtyping import Float
from torch import Tensor
from torch._utils import _unflatten_dense_tensors


class Buffer:
    """A matrix, and every row of it as views that look like the parameters it has columns for."""

    def __init__(self, memory: Float[Tensor, "numel"], rows: int, shapes: tuple[torch.Size, ...]) -> None:
        self.memory, self.shapes = memory, shapes
        self.sizes = [shape.numel() for shape in self.shapes]
        columns = sum(self.sizes)
        self.matrix: Float[Tensor, "rows columns"] = memory[: rows * columns].view(rows, columns)

    @cached_property
    def pieces(self) -> list[list[Tensor]]:
        """By row. Views of many small parameters take longer to make than to fill."""
        rows = [row.split(self.sizes) for row in self.matrix]
        return [[piece.view(shape) for piece, shape in zip(row, self.shapes, strict=True)] for row in rows]


class RowBuffers:
    """Hands out one buffer per live owner: shared ones would alias the rows of independent batches (SDMGrad's bug)."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters, self.shapes = parameters, tuple(parameter.shape for parameter in parameters)
        self.like = parameters[0] if parameters else torch.empty(0)
        self.dtype = reduce(torch.promote_types, (p.dtype for p in parameters), self.like.dtype)  # of the finest part
        self._taken: list[tuple[weakref.ref[object], Buffer]] = []
        self._direction: Float[Tensor, "P"] | None = None

    def direction(self) -> Float[Tensor, "P"]:
        """The same at every call: each direction takes the place of the last in `.grad`. Memory of this size comes page
        by page from the system, at every step anew.
        """
        if self._direction is None:
            self._direction = self._memory(self.shapes)
        return self._direction

    def pieces(self, vector: Float[Tensor, "P"]) -> list[Tensor]:
        """Views that look like the parameters, new ones: as `.grad` they are in other people's hands."""
        return list(_unflatten_dense_tensors(vector, self.parameters))

    def free(self, rows: int, shapes: tuple[torch.Size, ...] | None = None) -> Buffer:
        """A buffer that no living owner holds, with columns for parameters of these shapes, all if nothing is said;
        call `give` before asking for the next."""
        shapes = self.shapes if shapes is None else shapes
        for owner, buffer in self._taken:
            if owner() is None and (len(buffer.matrix), buffer.shapes) == (rows, shapes):
                return buffer
            if owner() is None and len(buffer.memory) >= rows * sum(map(math.prod, shapes)):
                return Buffer(buffer.memory, rows, shapes)
        return Buffer(self._memory(shapes, rows), rows, shapes)

    def give(self, buffer: Buffer, owner: object) -> None:
        kept = [(ref, b) for ref, b in self._taken if ref() is not None and b.memory is not buffer.memory]
        self._taken = [*kept, (weakref.ref(owner), buffer)]

    def _memory(self, shapes: tuple[torch.Size, ...], rows: int = 1) -> Float[Tensor, "numel"]:
        return torch.empty(rows * sum(map(math.prod, shapes)), dtype=self.dtype, device=self.like.device)
