"""Rows at the shared representation or at the last shared layer; one encoder sweep when they are combined."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.step.engines.graph import Graph, one_by_one
from mtl_bench.step.engines.rows import HeadGradients, Rows
from mtl_bench.step.ownership import Ownership


class FeatureRows(Rows):
    """Rows ∂l_i/∂z with all samples of the batch kept, z all shared tensors; with `last_layer` rows ∂l_i/∂θ_last.

    Approximate by definition where a Gramian of parameter gradients is meant; cheapest. Writing works once, because the
    encoder sweep runs there, from the kept cotangents at z. `features` are by name those shared tensors that have a
    gradient; `read` says which of them some task reads.
    """

    def __init__(
        self,
        tasks: tuple[int, ...],
        values: Float[Tensor, "k"],
        heads: HeadGradients,
        features: Mapping[str, Tensor],
        cotangents: Float[Tensor, "k F"],
        read: list[bool],
        last_layer: Float[Tensor, "k *shape"] | None,
        shared: Mapping[str, nn.Parameter],
        on_write: Callable[[Float[Tensor, "k"] | None], None],
    ) -> None:
        named = [(name, f.shape) for name, f in features.items()]
        if last_layer is not None:
            named = [("last_layer", last_layer.shape[1:])]
        super().__init__(tasks, values, heads, named, on_write)
        self._features: Mapping[str, Tensor] | None = features
        self._cotangents = cotangents
        self._read = read
        self._at_features = last_layer is None
        self._rows = cotangents if last_layer is None else last_layer.flatten(1)
        self._shared = list(shared.values())

    @property
    def features(self) -> Mapping[str, Tensor] | None:
        if not self._at_features or self._features is None:
            return None
        return {name: f.detach() for name, f in self._features.items()}

    def matrix(self) -> Float[Tensor, "k F"]:
        return self._rows

    def combine(self, weights: Float[Tensor, "k"], heads: Float[Tensor, "k"] | None = None) -> None:
        self._write(weights.to(self._cotangents, non_blocking=True) @ self._cotangents, weights, heads)

    def require_direction(self) -> None:
        if not self._at_features:
            raise BenchError("Gradients at the last layer do not name a direction of the encoder; use `combine`.")

    def write_shared(self, direction: Float[Tensor, "F"]) -> None:
        if self._features is None:
            raise BenchError("Gradients at the features can be combined once: the encoder sweep runs there.")
        features, self._features = list(self._features.values()), None
        for parameter in self._shared:
            parameter.grad = None  # combine writes, backward would add
        pieces = direction.split([f.numel() for f in features])
        # a tensor that no task reads is no end of the sweep: what lies behind it has no gradient, not a zero one
        ends = [
            (f, piece.view_as(f).to(f)) for f, piece, read in zip(features, pieces, self._read, strict=True) if read
        ]
        if ends and self._shared:
            with one_by_one():
                torch.autograd.backward([f for f, _ in ends], [c for _, c in ends], inputs=self._shared)


def feature_rows(
    graph: Graph,
    tasks: tuple[int, ...],
    values: Float[Tensor, "k"],
    weights: Float[Tensor, "k"] | None,
    ownership: Ownership,
    last_shared: nn.Parameter | None,
    on_write: Callable[[Float[Tensor, "k"] | None], None],
) -> FeatureRows:
    """Rows at the features, or at `last_shared` when it is given. Needs one encoder pass that all tasks read.

    Raises BenchError where nobody has named the shared tensors.
    """
    named = {f"feature.{i}": f for i, f in enumerate(graph.features[tasks[0]])}
    if not named:
        raise BenchError("Gradients at the features need to know them: name the modules that end in them, `features=`.")
    live = {name: f for name, f in named.items() if f.requires_grad}  # not a skip from the image, say
    if any(f.is_complex() for f in live.values()):
        raise BenchError("Gradients at the features are real numbers; hand complex ones on as torch.view_as_real.")
    heads = HeadGradients([ownership.owned[task] for task in tasks], [])
    read = [False] * len(live)
    cotangents, sweeps = [], []
    for i, task in enumerate(tasks):
        last, weight = task == tasks[-1], None if weights is None else weights[i]
        at_taps, own = graph.heads(task, weight, ownership.owned[task], last)
        heads.gradients.append(own)
        arrived = [c for name, c in zip(named, at_taps, strict=True) if name in live]
        read = [before or c is not None for before, c in zip(read, arrived, strict=True)]
        filled = [torch.zeros_like(f) if c is None else c for f, c in zip(live.values(), arrived, strict=True)]
        row = torch.cat([c.reshape(-1) for c in filled]) if filled else values.new_empty(0)
        cotangents.append(row.to(values))  # a Gramian in bf16 would be no use
        if last_shared is not None:
            (at_last,) = graph.encoder(task, at_taps, [last_shared], keep=True)
            sweeps.append(torch.zeros_like(last_shared) if at_last is None else at_last)
    values = values if weights is None else values * weights
    last_layer = torch.stack(sweeps) if sweeps else None
    stacked = torch.stack(cotangents)
    return FeatureRows(tasks, values, heads, live, stacked, read, last_layer, ownership.shared, on_write)
