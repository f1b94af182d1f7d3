"""Rows at the shared representation or at the last shared layer; one encoder sweep when they are combined."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods.gradients.graph import Graph
from mtl_bench.methods.gradients.rows import HeadGradients, Rows


class FeatureRows(Rows):
    """Rows ∂l_i/∂z with all samples of the batch kept, z all shared tensors; with `last_shared` rows ∂l_i/∂θ_last.

    Approximate by definition where a Gramian of parameter gradients is meant; cheapest. Writing works once, because the
    encoder sweep runs there, from the kept cotangents at z.
    """

    def __init__(
        self,
        tasks: tuple[int, ...],
        values: Float[Tensor, "k"],
        heads: HeadGradients,
        features: list[Tensor],
        cotangents: list[list[Tensor]],
        shared: Mapping[str, nn.Parameter],
        last_shared: nn.Parameter | None,
        on_write: Callable[[Float[Tensor, "k"] | None], None],
    ) -> None:
        named = [(f"feature.{i}", f.shape) for i, f in enumerate(features)]
        super().__init__(tasks, values, heads, named, on_write)
        self._features: list[Tensor] | None = features
        self._shared = list(shared.values())
        self._cotangents = torch.stack([torch.cat([c.reshape(-1) for c in task]) for task in cotangents])
        self._rows = self._cotangents
        self._at_features = last_shared is None
        if last_shared is not None:
            self.named = [("last_layer", last_shared.shape)]
            sweeps = (torch.autograd.grad(features, last_shared, task, retain_graph=True)[0] for task in cotangents)
            self._rows = torch.stack([row.reshape(-1) for row in sweeps])

    @property
    def features(self) -> Mapping[str, Tensor] | None:
        if not self._at_features or self._features is None:
            return None
        return {name: f.detach() for (name, _), f in zip(self.named, self._features, strict=True)}

    def matrix(self) -> Float[Tensor, "k F"]:
        return self._rows

    def combine(self, weights: Float[Tensor, "k"], heads: Float[Tensor, "k"] | None = None) -> None:
        self.write_shared(weights.to(self._cotangents) @ self._cotangents)
        self.heads.write(heads)
        self._on_write(weights)

    def assign(self, direction: Tensor | Mapping[str, Tensor], heads: Float[Tensor, "k"] | None = None) -> None:
        if not self._at_features:
            raise BenchError("Gradients at the last layer do not name a direction of the encoder; use `combine`.")
        super().assign(direction, heads)

    def write_shared(self, direction: Float[Tensor, "F"]) -> None:
        if self._features is None:
            raise BenchError("Gradients at the features can be combined once: the encoder sweep runs there.")
        features, self._features = self._features, None
        for parameter in self._shared:
            parameter.grad = None  # combine writes, backward would add
        pieces = direction.split([f.numel() for f in features])
        cotangents = [piece.view_as(f) for piece, f in zip(pieces, features, strict=True)]
        torch.autograd.backward(features, cotangents, inputs=self._shared)


def feature_rows(
    graph: Graph,
    tasks: tuple[int, ...],
    values: Float[Tensor, "k"],
    weights: Float[Tensor, "k"] | None,
    shared: Mapping[str, nn.Parameter],
    owned: Mapping[int, list[nn.Parameter]],
    last_shared: nn.Parameter | None,
    on_write: Callable[[Float[Tensor, "k"] | None], None],
) -> FeatureRows:
    """Rows at the features, or at `last_shared` when it is given. Needs one encoder pass that all tasks read."""
    features = graph.features[tasks[0]]
    heads = HeadGradients([owned[task] for task in tasks], [])
    cotangents = []
    for i, task in enumerate(tasks):
        at_taps, own = graph.heads(task, None if weights is None else weights[i], owned[task])
        heads.gradients.append(own)
        cotangents.append(at_taps)
    values = values if weights is None else values * weights
    return FeatureRows(tasks, values, heads, features, cotangents, shared, last_shared, on_write)
