"""Exact rows: K encoder backwards into one buffer. Simple, and the reference for every other engine."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.step.buffers import RowBuffers
from mtl_bench.step.engines.graph import Graph
from mtl_bench.step.engines.rows import HeadGradients, Rows
from mtl_bench.step.ownership import Ownership


class FlatRows(Rows):
    """Rows over all shared parameters, k × P in a buffer of their own."""

    def __init__(
        self,
        tasks: tuple[int, ...],
        values: Float[Tensor, "k"],
        heads: HeadGradients,
        shared: Mapping[str, nn.Parameter],
        buffers: RowBuffers,
        buffer: Float[Tensor, "k P"],
        reached: list[bool],
        on_write: Callable[[Float[Tensor, "k"] | None], None],
    ) -> None:
        super().__init__(tasks, values, heads, [(name, p.shape) for name, p in shared.items()], on_write)
        self._shared = list(shared.values())
        self._buffers, self._buffer = buffers, buffer
        self._reached = reached  # by at least one task of this batch, in the order of `shared`

    def matrix(self) -> Float[Tensor, "k P"]:
        return self._buffer

    def combine(self, weights: Float[Tensor, "k"], heads: Float[Tensor, "k"] | None = None) -> None:
        factors, direction = weights.detach().to(self._buffer, non_blocking=True), self._buffers.direction()
        torch.mm(factors[None], self._buffer, out=direction[None])
        self._write(direction, weights, heads)

    def write_shared(self, direction: Float[Tensor, "P"]) -> None:
        pieces = direction.split([p.numel() for p in self._shared])
        for parameter, piece, reached in zip(self._shared, pieces, self._reached, strict=True):
            # a zero gradient is not no gradient: momentum would move what only absent tasks use
            parameter.grad = piece.view_as(parameter).to(parameter) if reached else None


def flat_rows(
    graph: Graph,
    tasks: tuple[int, ...],
    values: Float[Tensor, "k"],
    weights: Float[Tensor, "k"] | None,
    ownership: Ownership,
    buffers: RowBuffers,
    on_write: Callable[[Float[Tensor, "k"] | None], None],
) -> FlatRows:
    """Fill a buffer with one row per task.

    Cost: every head backward once and k encoder backwards. A task with a path of its own takes one backward through
    both, which also reaches the parameters that it owns inside the encoder (norms per task); so does every task where
    nobody has named the shared tensors. The encoder's graph is freed with the last task that reads it, so that K paths
    never hold more than they need.
    """
    buffer = buffers.free(len(tasks))
    parameters, owned = list(ownership.shared.values()), ownership.owned
    reached = [False] * len(parameters)
    heads = HeadGradients([owned[task] for task in tasks], [])
    for i, task in enumerate(tasks):
        weight = None if weights is None else weights[i]
        others = [other for other in tasks if other != task and graph.features[other] is graph.features[task]]
        later = max(others, default=task) > task
        if others and graph.features[task]:
            cotangents, own = graph.heads(task, weight, owned[task], last=not later)
            row = graph.encoder(task, cotangents, parameters, keep=later)
        else:
            found = graph.whole(task, weight, [*parameters, *owned[task]], keep=later)
            row, own = found[: len(parameters)], found[len(parameters) :]
        heads.gradients.append(own)
        reached = [before or g is not None for before, g in zip(reached, row, strict=True)]
        filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, row, strict=True)]
        if filled:
            torch.cat([g.reshape(-1) for g in filled], out=buffer[i])
        graph.terms[task] = graph.terms[task].detach()  # frees what this head alone kept alive
    values = values if weights is None else values * weights
    rows = FlatRows(tasks, values, heads, ownership.shared, buffers, buffer, reached, on_write)
    buffers.give(buffer, rows)
    return rows
