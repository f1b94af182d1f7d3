"""Exact rows: K encoder backwards into one buffer. Simple, and the reference for every other engine."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.methods.interface import TaskGradients
from mtl_bench.step.buffers import Buffer, RowBuffers
from mtl_bench.step.engines.factored import Factored
from mtl_bench.step.engines.graph import Graph
from mtl_bench.step.engines.products import products
from mtl_bench.step.engines.rows import HeadGradients, Rows
from mtl_bench.step.engines.together import Swept, swept_together
from mtl_bench.step.ownership import Ownership


class FlatRows(Rows):
    """Rows over all shared parameters, k × P in a buffer of their own.

    Of parameters that are `factored`, by place among the shared ones, the buffer has no columns before somebody asks
    for the rows themselves.
    """

    def __init__(
        self,
        tasks: tuple[int, ...],
        values: Float[Tensor, "k"],
        heads: HeadGradients,
        shared: Mapping[str, nn.Parameter],
        buffers: RowBuffers,
        buffer: Buffer,
        factored: dict[int, Factored],
        reached: set[int],
        on_write: Callable[[Float[Tensor, "k"] | None], None],
    ) -> None:
        super().__init__(tasks, values, heads, [*zip(shared, buffers.shapes, strict=True)], on_write)
        self._shared = list(shared.values())
        self._buffers, self._buffer, self._factored = buffers, buffer, factored
        self._reached = reached  # by at least one task of this batch: places in `shared`

    def matrix(self) -> Float[Tensor, "k P"]:
        if self._factored:
            rows = self._buffers.free(len(self.tasks))
            self._buffers.give(rows, self)
            for i, pieces in enumerate(rows.pieces):
                for piece, found in zip(self._unfactored(pieces), self._buffer.pieces[i], strict=True):
                    piece.copy_(found)
                for place, one in self._factored.items():
                    one.row(i, pieces[place].view(-1))
            self._buffer, self._factored = rows, {}
        return self._buffer.matrix

    def inner(self, other: TaskGradients) -> Float[Tensor, "k k"]:
        if not (isinstance(other, FlatRows) and other._factored.keys() == self._factored.keys()):
            return super().inner(other)
        found = products(self._buffer.matrix, other._buffer.matrix)
        if not self._factored:
            return found
        found = sum((one.products(other._factored[place]) for place, one in self._factored.items()), start=found)
        # as it would be of rows: a step that is going to be skipped must not look sound
        return torch.where(found.abs() <= torch.finfo(self._buffer.matrix.dtype).max, found, torch.nan)

    def combine(self, weights: Float[Tensor, "k"], heads: Float[Tensor, "k"] | None = None) -> None:
        direction = self._buffers.direction()
        self._combined(weights.detach().to(direction, non_blocking=True), out=direction)
        self._write(direction, weights, heads)

    def _combined(self, weights: Float[Tensor, "k"], out: Float[Tensor, "P"]) -> None:
        if not self._factored:
            torch.mm(weights[None], self._buffer.matrix, out=out[None])
            return
        found, pieces = weights @ self._buffer.matrix, self._buffers.pieces(out)
        unfactored = self._unfactored(pieces)
        for piece, columns in zip(unfactored, found.split([piece.numel() for piece in unfactored]), strict=True):
            piece.view(-1).copy_(columns)
        for place, one in self._factored.items():
            one.combine(weights, out=pieces[place].view(-1))

    def _unfactored(self, pieces: Sequence[Tensor]) -> list[Tensor]:
        return [piece for place, piece in enumerate(pieces) if place not in self._factored]

    def write_shared(self, direction: Float[Tensor, "P"]) -> None:
        for place, (parameter, piece) in enumerate(zip(self._shared, self._buffers.pieces(direction), strict=True)):
            # a zero gradient is not no gradient: momentum would move what only absent tasks use
            given = piece if piece.dtype == parameter.dtype else piece.to(parameter.dtype)
            parameter.grad = given if place in self._reached else None


def flat_rows(
    graph: Graph,
    tasks: tuple[int, ...],
    values: Float[Tensor, "k"],
    weights: Float[Tensor, "k"] | None,
    ownership: Ownership,
    buffers: RowBuffers,
    factored: dict[int, Factored],
    on_write: Callable[[Float[Tensor, "k"] | None], None],
    together: bool = False,
) -> FlatRows:
    """Fill a buffer with one row per task, and `factored` with what arrives at their layers; `together` in one sweep.

    Cost: every head backward once and k encoder backwards.
    """
    parameters, owned = list(ownership.shared.values()), [ownership.owned[task] for task in tasks]
    kept = {place: parameter for place, parameter in enumerate(parameters) if place not in factored}
    buffer = buffers.free(len(tasks), tuple(parameter.shape for parameter in kept.values()) if factored else None)
    if together:
        gradients, reached = swept_together(graph, tasks, weights, owned, parameters, buffer.matrix)
    else:
        gradients, reached = _swept(graph, tasks, weights, owned, kept, factored, buffer)
    values, heads = values if weights is None else values * weights, HeadGradients(owned, gradients)
    rows = FlatRows(tasks, values, heads, ownership.shared, buffers, buffer, factored, reached, on_write)
    buffers.give(buffer, rows)
    return rows


def _swept(
    graph: Graph,
    tasks: tuple[int, ...],
    weights: Float[Tensor, "k"] | None,
    owned: Sequence[list[nn.Parameter]],
    kept: Mapping[int, nn.Parameter],
    factored: Mapping[int, Factored],
    buffer: Buffer,
) -> Swept:
    """One task after another.

    A task with a path of its own takes one backward through head and encoder, which also reaches the parameters that it
    owns inside the encoder (norms per task); so does every task where nobody has named the shared tensors. The
    encoder's graph is freed with the last task that reads it, so that K paths never hold more than they need.
    """
    gradients, reached = [], set[int]()
    for i, task in enumerate(tasks):
        weight = None if weights is None else weights[i]
        others = [other for other in tasks if other != task and graph.features[other] is graph.features[task]]
        later = max(others, default=task) > task
        asked = {place: one.ends() for place, one in factored.items()}
        ends = [*kept.values(), *chain(*asked.values())]
        if others and graph.features[task]:
            cotangents, own = graph.heads(task, weight, owned[i], last=not later)
            row = graph.encoder(task, cotangents, ends, keep=later)
        else:
            found = graph.whole(task, weight, [*ends, *owned[i]], keep=later)
            row, own = found[: len(ends)], found[len(ends) :]
        gradients.append(own)
        apart = iter(row[len(kept) :])
        for place, one in factored.items():
            one.take([next(apart) for _ in asked[place]])
            reached |= {place} if one.arrived[-1] is not None else set()
        reached |= _fill(buffer.pieces[i], dict(zip(kept, row, strict=False)))
        graph.terms[task] = graph.terms[task].detach()  # frees what this head alone kept alive
    return gradients, reached


def _fill(pieces: list[Tensor], found: dict[int, Tensor | None]) -> set[int]:
    """A row of what a sweep found, by place; where it found something."""
    reached = {place: gradient for place, gradient in found.items() if gradient is not None}
    if len(reached) < len(found):
        for piece, place in zip(pieces, found, strict=True):
            if place not in reached:
                piece.zero_()
        pieces = [piece for piece, place in zip(pieces, found, strict=True) if place in reached]
    if reached:
        torch._foreach_copy_(pieces, [*reached.values()])
    return {*reached}
