"""Gradients of large weights as the two factors they are products of, whose inner products and sums need no row."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from mtl_bench.step.engines.graph import End, Graph, one_by_one
from mtl_bench.step.engines.layers import Layer, lone_readers
from mtl_bench.step.engines.products import products

LEAST = 2**18  # entries of a weight that is looked at: no committed board has one, so its records keep their digits
# in fp32 multiplications: one in double precision, an entry of a row, an entry that arrives at a layer's output; what
# follows of them is measured by scripts/benchmark_factors.py
DOUBLE, ENTRY, ARRIVAL = 3, 100, 600
BYTES = 5  # an entry that arrives takes: once as it is, twice in double precision; one of a row takes 1


class Factored:
    """Gradients g_i = δ_i Xᵀ of a weight [out, d] that one layer alone reads: X [d, n], and δ_i arrives at its output.

    ⟨g_i, g_j⟩ = ⟨δ_i XᵀX, δ_j⟩ and Σ w_i g_i = (Σ w_i δ_i) Xᵀ: with far fewer positions than inputs, n ≪ d, both cost
    less than the rows ("ghost" norms of single samples: Goodfellow 2015, arXiv:1510.01799; of convolutions: Bu et al.
    2022, arXiv:2205.10683). Inner products are exact to double precision in X and δ.

    `agrees`: whether δ_i Xᵀ is autograd's own gradient of the weight, which a hook may change (None: nobody has seen).
    Before it does, sweeps ask for that as well, and it counts instead: rows of this weight, apart from all others.
    """

    def __init__(self, layer: Layer, weight: Float[Tensor, "out *window"], agrees: bool | None) -> None:
        self.layer, self.weight, self.agrees = layer, weight, agrees
        self.end = GradientEdge(layer.node, 0)
        self.inputs: Float[Tensor, "d n"] = layer.inputs(weight)
        self.arrived: list[Tensor | None] = []  # by task; None: it does not get here
        self.gradients: list[Tensor | None] = []  # by task, while they are asked for
        # what a layer's own backward is handed went through all hooks, what is captured before it did not
        self._handed: list[Tensor] = []
        layer.node.register_prehook(_noting(self._handed))

    def ends(self) -> list[End]:
        """What the next sweep is to find."""
        return [self.end] if self.agrees else [self.end, self.weight]

    def take(self, found: Sequence[Tensor | None]) -> None:
        """What the sweep of the next task found at the `ends`."""
        captured, handed = found[0], self._handed.pop() if self._handed else found[0]
        self.arrived.append(None if handed is None else self.layer.columns(handed.detach()))
        if len(found) > 1:
            gradient = found[1]
            self.gradients.append(None if gradient is None else gradient.clone())
            if self.agrees is None and captured is not None and handed is not None and gradient is not None:
                # what differs, a hook has changed; some run only where a layer's own backward does
                self.agrees = self._compared(gradient.flatten()) and torch.equal(captured, handed)
                if self.agrees:
                    self.gradients.clear()

    def products(self, other: "Factored") -> Float[Tensor, "k j"]:
        """With the gradients of the same weight from another forward, or with these themselves."""
        if not (self.agrees and other.agrees):
            ours = self.rows()
            return products(ours, ours if other is self else other.rows()).double()
        columns, inputs = self._columns().double(), self.inputs.double()
        others, read = (columns, inputs) if other is self else (other._columns().double(), other.inputs.double())
        met = columns @ (inputs.T @ read) if self.layer.convolves else (read.T @ inputs) @ columns
        return met.flatten(1) @ others.flatten(1).T

    def combine(self, weights: Float[Tensor, "k"], out: Float[Tensor, "P"]) -> None:
        """Σ w_i g_i."""
        if self.agrees:
            self._gradient(torch.tensordot(weights, self._columns(), 1), out)
        else:
            torch.mv(self.rows().T, weights, out=out)

    def rows(self) -> Float[Tensor, "k P"]:
        rows = self.inputs.new_empty(len(self.arrived), self.weight.numel())
        for i, row in enumerate(rows):
            self.row(i, row)
        return rows

    def row(self, task: int, out: Float[Tensor, "P"]) -> None:
        found = self.arrived[task] if self.agrees else self.gradients[task]
        if found is None:
            out.zero_()
        elif self.agrees:
            self._gradient(found, out)
        else:
            out.copy_(found.flatten())

    def _columns(self) -> Tensor:
        """[k, out, n] of a convolution, else [k, n, out]: as they arrive."""
        n, out = self.inputs.shape[1], len(self.weight)
        nothing = self.inputs.new_zeros((out, n) if self.layer.convolves else (n, out))
        return torch.stack([nothing if columns is None else columns for columns in self.arrived])

    def _gradient(self, columns: Tensor, out: Float[Tensor, "P"]) -> None:
        columns = columns if self.layer.convolves else columns.T
        torch.mm(columns, self.inputs.T, out=out.view(len(self.weight), -1))

    def _compared(self, gradient: Float[Tensor, "P"]) -> bool | None:
        """None: there is nothing to compare."""
        ours = torch.empty_like(gradient)
        assert self.arrived[-1] is not None
        self._gradient(self.arrived[-1], ours)
        extremes = torch.stack([*ours.aminmax(), *gradient.aminmax()]).abs()
        if not extremes.isfinite().all() or not extremes.any():
            return None
        return bool(ours.sub_(gradient).abs_().max() <= 1e-3 * extremes[2:].max())


class Factoring:
    """Which weights are kept in factors: found in the graph of each batch, where that costs less than their rows.

    On a GPU, where nobody has measured it, all are rows.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], dtype: torch.dtype) -> None:
        """`dtype` is that of rows."""
        able = dtype in (torch.float32, torch.float64)
        self.large = {
            place: parameter
            for place, parameter in enumerate(parameters)
            if able and parameter.numel() >= LEAST and parameter.device.type == "cpu"
        }
        self.dtype = dtype
        self.agrees: dict[int, bool] = {}

    def find(self, graph: Graph, tasks: tuple[int, ...]) -> dict[int, Factored]:
        """By place among the parameters."""
        if len(tasks) < 2 or not self.large:
            return {}
        with one_by_one():
            layers = lone_readers([graph.terms[task] for task in tasks], {id(weight) for weight in self.large.values()})
        return {
            place: Factored(layers[id(weight)], weight, self.agrees.get(place))
            for place, weight in self.large.items()
            if id(weight) in layers
            and weight.dtype == self.dtype
            and worthwhile(len(tasks), layers[id(weight)].positions, *weight.flatten(1).shape)
        }

    def learn(self, factored: dict[int, Factored]) -> None:
        self.agrees |= {place: one.agrees for place, one in factored.items() if one.agrees is not None}


def worthwhile(k: int, positions: int, out: int, d: int) -> bool:
    """Whether k gradients of a weight [out, d] cost less in factors than as rows, and take less memory."""
    rows = k * out * d * (2 * positions + ENTRY)
    arriving = positions * out * (DOUBLE * 2 * positions * k + ARRIVAL * k + 2 * d)
    return BYTES * positions <= d and DOUBLE * 2 * positions**2 * d + arriving < rows


def _noting(seen: list[Tensor]) -> Callable[[tuple[Tensor, ...]], None]:
    """A hook of a node that knows nothing of what holds the node, so that both go when they are done."""

    def note(given: tuple[Tensor, ...]) -> None:
        seen.append(given[0])

    return note
