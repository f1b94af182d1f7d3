"""Exact rows: K encoder backwards into one buffer. Simple, and the reference for every other engine."""

from collections.abc import Callable, Mapping
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.methods.interface import TaskGradients
from mtl_bench.step.buffers import RowBuffers
from mtl_bench.step.engines.factored import Factored
from mtl_bench.step.engines.graph import Graph
from mtl_bench.step.engines.products import products
from mtl_bench.step.engines.rows import HeadGradients, Rows
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
        buffer: Float[Tensor, "k columns"],
        factored: dict[int, Factored],
        reached: set[int],
        on_write: Callable[[Float[Tensor, "k"] | None], None],
    ) -> None:
        super().__init__(tasks, values, heads, [(name, p.shape) for name, p in shared.items()], on_write)
        self._shared = list(shared.values())
        self._sizes = [parameter.numel() for parameter in self._shared]
        self._buffers, self._buffer, self._factored = buffers, buffer, factored
        self._reached = reached  # by at least one task of this batch: places in `shared`

    def matrix(self) -> Float[Tensor, "k P"]:
        if self._factored:
            rows = self._buffers.free(len(self.tasks))
            self._buffers.give(rows, self)
            for i, row in enumerate(rows):
                self._fill(row, self._buffer[i])
                for place, one in self._factored.items():
                    one.row(i, row.split(self._sizes)[place])
            self._buffer, self._factored = rows, {}
        return self._buffer

    def inner(self, other: TaskGradients) -> Float[Tensor, "k k"]:
        if not (isinstance(other, FlatRows) and other._factored.keys() == self._factored.keys()):
            return super().inner(other)
        found = products(self._buffer, other._buffer)
        if not self._factored:
            return found
        found = sum((one.products(other._factored[place]) for place, one in self._factored.items()), start=found)
        # as it would be of rows: a step that is going to be skipped must not look sound
        return torch.where(found.abs() <= torch.finfo(self._buffer.dtype).max, found, torch.nan)

    def combine(self, weights: Float[Tensor, "k"], heads: Float[Tensor, "k"] | None = None) -> None:
        direction = self._buffers.direction()
        self._combined(weights.detach().to(self._buffer, non_blocking=True), out=direction)
        self._write(direction, weights, heads)

    def _combined(self, weights: Float[Tensor, "k"], out: Float[Tensor, "P"]) -> None:
        if not self._factored:
            torch.mm(weights[None], self._buffer, out=out[None])
            return
        self._fill(out, weights @ self._buffer)
        for place, one in self._factored.items():
            one.combine(weights, out=out.split(self._sizes)[place])

    def _fill(self, row: Float[Tensor, "P"], columns: Float[Tensor, "columns"]) -> None:
        """A row's columns of the parameters that are not factored."""
        pieces = [piece for place, piece in enumerate(row.split(self._sizes)) if place not in self._factored]
        for piece, found in zip(pieces, columns.split([len(piece) for piece in pieces]), strict=True):
            piece.copy_(found)

    def write_shared(self, direction: Float[Tensor, "P"]) -> None:
        for place, (parameter, piece) in enumerate(zip(self._shared, direction.split(self._sizes), strict=True)):
            # a zero gradient is not no gradient: momentum would move what only absent tasks use
            parameter.grad = piece.view_as(parameter).to(parameter) if place in self._reached else None


def flat_rows(
    graph: Graph,
    tasks: tuple[int, ...],
    values: Float[Tensor, "k"],
    weights: Float[Tensor, "k"] | None,
    ownership: Ownership,
    buffers: RowBuffers,
    factored: dict[int, Factored],
    on_write: Callable[[Float[Tensor, "k"] | None], None],
) -> FlatRows:
    """Fill a buffer with one row per task, and `factored` with what arrives at their layers.

    Cost: every head backward once and k encoder backwards. A task with a path of its own takes one backward through
    both, which also reaches the parameters that it owns inside the encoder (norms per task); so does every task where
    nobody has named the shared tensors. The encoder's graph is freed with the last task that reads it, so that K paths
    never hold more than they need.
    """
    parameters, owned = list(ownership.shared.values()), ownership.owned
    kept = {place: parameter for place, parameter in enumerate(parameters) if place not in factored}
    buffer = buffers.free(len(tasks), sum(parameter.numel() for parameter in kept.values()))
    reached = set[int]()
    heads = HeadGradients([owned[task] for task in tasks], [])
    for i, task in enumerate(tasks):
        weight = None if weights is None else weights[i]
        others = [other for other in tasks if other != task and graph.features[other] is graph.features[task]]
        later = max(others, default=task) > task
        asked = {place: one.ends() for place, one in factored.items()}
        ends = [*kept.values(), *chain(*asked.values())]
        if others and graph.features[task]:
            cotangents, own = graph.heads(task, weight, owned[task], last=not later)
            row = graph.encoder(task, cotangents, ends, keep=later)
        else:
            found = graph.whole(task, weight, [*ends, *owned[task]], keep=later)
            row, own = found[: len(ends)], found[len(ends) :]
        heads.gradients.append(own)
        reached |= {place for place, g in zip(kept, row, strict=False) if g is not None}
        apart = iter(row[len(kept) :])
        for place, one in factored.items():
            one.take([next(apart) for _ in asked[place]])
            reached |= {place} if one.arrived[-1] is not None else set()
        filled = [torch.zeros_like(p) if g is None else g for p, g in zip(kept.values(), row, strict=False)]
        if filled:
            torch.cat([g.reshape(-1) for g in filled], out=buffer[i])
        graph.terms[task] = graph.terms[task].detach()  # frees what this head alone kept alive
    values = values if weights is None else values * weights
    rows = FlatRows(tasks, values, heads, ownership.shared, buffers, buffer, factored, reached, on_write)
    buffers.give(buffer, rows)
    return rows
