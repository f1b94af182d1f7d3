"""Exact rows: K encoder backwards into one buffer. Simple, and the reference for every other engine."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.methods.gradients.graph import Graph
from mtl_bench.methods.gradients.rows import HeadGradients, Rows


class FlatRows(Rows):
    """Rows over all shared parameters, k × P in a buffer of their own."""

    def __init__(
        self,
        tasks: tuple[int, ...],
        values: Float[Tensor, "k"],
        heads: HeadGradients,
        shared: Mapping[str, nn.Parameter],
        buffer: Float[Tensor, "k P"],
        on_write: Callable[[Float[Tensor, "k"] | None], None],
    ) -> None:
        super().__init__(tasks, values, heads, [(name, p.shape) for name, p in shared.items()], on_write)
        self._shared = list(shared.values())
        self._buffer = buffer

    def matrix(self) -> Float[Tensor, "k P"]:
        return self._buffer

    def write_shared(self, direction: Float[Tensor, "P"]) -> None:
        pieces = direction.split([p.numel() for p in self._shared])
        for parameter, piece in zip(self._shared, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)


def flat_rows(
    graph: Graph,
    tasks: tuple[int, ...],
    values: Float[Tensor, "k"],
    weights: Float[Tensor, "k"] | None,
    shared: Mapping[str, nn.Parameter],
    owned: Mapping[int, list[nn.Parameter]],
    buffer: Float[Tensor, "k P"],
    on_write: Callable[[Float[Tensor, "k"] | None], None],
) -> FlatRows:
    """Fill `buffer` with one row per task.

    Cost: every head backward once and k encoder backwards. The encoder's graph is freed with the last task that reads
    it, so that K paths never hold more than they need.
    """
    parameters = list(shared.values())
    heads = HeadGradients([owned[task] for task in tasks], [])
    for i, task in enumerate(tasks):
        cotangents, own = graph.heads(task, None if weights is None else weights[i], owned[task])
        heads.gradients.append(own)
        features = graph.features[task]
        last = all(graph.features[later] is not features for later in tasks[i + 1 :])
        row = torch.autograd.grad(features, parameters, cotangents, retain_graph=not last, allow_unused=True)
        filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, row, strict=True)]
        torch.cat([g.reshape(-1) for g in filled], out=buffer[i])
        graph.terms[task] = graph.terms[task].detach()  # frees what this head alone kept alive
    return FlatRows(tasks, values if weights is None else values * weights, heads, shared, buffer, on_write)
