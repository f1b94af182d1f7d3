"""Gradients of large weights as the two factors they are products of, whose inner products and sums need no row."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from mtl_bench.step.engines.graph import Graph, one_by_one
from mtl_bench.step.engines.layers import Layer, lone_readers

LEAST = 2**18  # entries of a weight that is looked at: rows of smaller ones cost next to nothing
DOUBLE, ENTRY = 3, 100  # a multiplication in double precision and an entry of a row, in fp32 multiplications


class Factored:
    """Gradients g_i = δ_i Xᵀ of a weight [out, d] that one layer alone reads: X [d, n], and δ_i arrives at its output.

    ⟨g_i, g_j⟩ = ⟨δ_i XᵀX, δ_j⟩ and Σ w_i g_i = (Σ w_i δ_i) Xᵀ: with fewer positions than inputs, n < d, both cost less
    than the rows ("ghost" norms of single samples: Goodfellow 2015, arXiv:1510.01799; of convolutions: Bu et al. 2022,
    arXiv:2205.10683). Inner products are exact to double precision in X and δ.
    """

    def __init__(self, layer: Layer, weight: Float[Tensor, "out *window"]) -> None:
        self.layer, self.weight = layer, weight
        self.end = GradientEdge(layer.node, 0)
        self.inputs: Float[Tensor, "d n"] = layer.inputs(weight)
        self.arrived: list[Float[Tensor, "out n"] | None] = []  # by task; None: it does not get here

    def add(self, arrived: Tensor | None) -> None:
        self.arrived.append(None if arrived is None else self.layer.columns(arrived.detach()))

    def columns(self) -> Float[Tensor, "k out n"]:
        nothing = self.inputs.new_zeros(len(self.weight), self.inputs.shape[1])
        return torch.stack([nothing if columns is None else columns for columns in self.arrived])

    def products(self, other: "Factored") -> Float[Tensor, "k j"]:
        """With the gradients of the same weight from another forward, or with these themselves."""
        ours, theirs = self.columns().double(), other.columns().double()
        met = ours.flatten(0, 1) @ (self.inputs.double().T @ other.inputs.double())
        return met.view(len(ours), -1) @ theirs.flatten(1).T

    def combine(self, weights: Float[Tensor, "k"], out: Float[Tensor, "P"]) -> None:
        columns = torch.tensordot(weights, self.columns(), 1)
        torch.mm(columns, self.inputs.T, out=out.view(len(columns), -1))


class Factoring:
    """Which weights are kept in factors: found in the graph of each batch, where that costs less than their rows.

    Each is first compared with autograd's own gradient, once in a run: a hook may change what a graph shows. On a GPU,
    where nobody has measured it, all are rows.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], dtype: torch.dtype) -> None:
        """`dtype` is that of rows."""
        self.large = {
            place: parameter
            for place, parameter in enumerate(parameters)
            if parameter.numel() >= LEAST
            and parameter.device.type == "cpu"
            and parameter.dtype == dtype
            and dtype in (torch.float32, torch.float64)
        }
        self.agrees: dict[int, bool] = {}  # with autograd's own; not there: not yet seen

    def find(self, graph: Graph, tasks: tuple[int, ...]) -> dict[int, Factored]:
        """By place among the parameters."""
        if len(tasks) < 2 or not self.large:
            return {}
        with one_by_one():
            layers = lone_readers([graph.terms[task] for task in tasks], {id(weight) for weight in self.large.values()})
        found = {
            place: Factored(layers[id(weight)], weight)
            for place, weight in self.large.items()
            if self.agrees.get(place, True)
            and id(weight) in layers
            and worthwhile(len(tasks), layers[id(weight)].positions, *weight.flatten(1).shape)
        }
        self._prove({place: one for place, one in found.items() if place not in self.agrees}, graph, tasks)
        return {place: one for place, one in found.items() if self.agrees.get(place)}

    def _prove(self, found: dict[int, Factored], graph: Graph, tasks: tuple[int, ...]) -> None:
        for task in tasks:
            new = {place: one for place, one in found.items() if place not in self.agrees}
            ends, weights = [one.end for one in new.values()], [one.weight for one in new.values()]
            both = graph.whole(task, None, [*ends, *weights], keep=True)
            for (place, one), arrived, gradient in zip(new.items(), both, both[len(new) :], strict=False):
                if arrived is None or gradient is None or not gradient.any() or not gradient.isfinite().all():
                    continue  # nothing to compare
                ours = one.layer.columns(arrived) @ one.inputs.T
                self.agrees[place] = bool((ours.view_as(gradient) - gradient).norm() <= 1e-3 * gradient.norm())


def worthwhile(k: int, positions: int, out: int, d: int) -> bool:
    """Whether k gradients of a weight [out, d] cost less in factors than as rows."""
    rows = k * out * d * (2 * positions + ENTRY)
    return positions < d and DOUBLE * 2 * positions**2 * (d + k * out) + 2 * positions * out * d < rows
