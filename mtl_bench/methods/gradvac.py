"""Gradient vaccine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import Context, GramianProblem, Step, TaskGradients
from mtl_bench.methods.layer_names import layer_of, require_layers
from mtl_bench.methods.pcgrad import ENUMERABLE

EDGE = 1 - 1e-4  # of a target similarity: at 1 the correction divides by 0
LEAST = 1e-150  # of squared lengths; with 1 / LEAST between which their products are numbers


@dataclass(kw_only=True, eq=False)
class GradVac(GramianWeighting):
    """Gradients are turned towards each other until their cosines reach targets that follow the cosines seen (Wang et
    al., ICLR 2021, alg. 1).

    For each i, over the other tasks j in random order: ρ = cos(p_i, g_j); if ρ < ρ̂_ij, p_i gets ‖p_i‖ (ρ̂ √(1 − ρ²) −
    ρ √(1 − ρ̂²)) / (‖g_j‖ √(1 − ρ̂²)) of g_j, so that their cosine is ρ̂; then ρ̂_ij ← (1 − β) ρ̂_ij + β ρ. d = Σ_i p_i.
    ρ̂ starts at 0, is not symmetric, stays within ±(1 − 1e-4) and belongs to a pair of tasks, also of those in a batch
    alone. β = 0 is PCGrad. A zero gradient changes nothing. `weights` moves ρ̂; under "whole" also a step that is
    skipped for the gradient of a head alone, which the host does not see.

    `granularity`, which the paper compares: "whole" takes all shared parameters as one vector (LibMTL, TorchJD),
    "layer" the tensors of each module, "matrix" each tensor, with targets of its own for every group. `beta` = 0.5 is
    LibMTL's and TorchJD's; the paper's is not known here.
    Cost: 1 forward, k encoder backwards, k³ on the host for each group.

    Raises BenchError for β outside [0, 1], for `scale_heads` or `max_norm` with another granularity than "whole", and
    for layers of parameters without names.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("targets",)

    beta: float = 0.5
    granularity: Literal["whole", "layer", "matrix"] = "whole"
    targets: Float[Tensor, "groups K K"] = field(
        default_factory=lambda: torch.zeros(1, 0, 0, dtype=torch.float64), init=False, repr=False
    )

    def check_options(self) -> None:
        super().check_options()
        if not 0 <= self.beta <= 1:
            raise BenchError(f"method.beta lies in [0, 1], got {self.beta}.")
        if self.granularity != "whole" and (self.scale_heads or self.max_norm is not None):
            raise BenchError("scale_heads and max_norm need one weight per task: use granularity=whole.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.granularity == "layer":
            require_layers(self, context)

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        if self.granularity != "whole":
            raise BenchError(
                f"granularity={self.granularity} needs a Gramian per group: use granularity=whole, or Stepper."
            )
        return self.group_weights(problem.gramian[None], problem.tasks, problem.generator)[0]

    def outcomes(self, problem: GramianProblem) -> Iterator[Float[Tensor, "k"]]:
        k = len(problem.gramian)
        if self.granularity == "whole" and k <= ENUMERABLE:
            targets = enlarged(self.targets, 1, k)[0, :k, :k]
            for orders in product(permutations(range(k - 1)), repeat=k):
                yield vaccinated(problem.gramian, targets.clone(), self.beta, orders)

    @property
    def needs_rows(self) -> bool:
        return self.granularity != "whole" or type(self).write is not GradVac.write

    def write(self, gradients: TaskGradients, step: Step) -> None:
        if self.granularity == "whole":
            super().write(gradients, step)
            return
        tensors = [(self._group(name), rows.flatten(1)) for name, rows in gradients.layers()]
        products: dict[str, Tensor] = {}  # a module's tensors need not follow one another
        for group, rows in tensors:
            products[group] = products.get(group, 0) + (rows @ rows.T).double()
        gramians = torch.where(gradients.finite(), torch.stack(list(products.values())), torch.nan).cpu()
        if not gramians.isfinite().all():
            gradients.assign(torch.full_like(gradients.matrix()[0], torch.nan))  # skipped; the targets must not see it
            return
        weights = self.group_weights(gramians, gradients.tasks, step.generator).to(gradients.matrix())
        by_group = dict(zip(products, weights, strict=True))
        gradients.assign(torch.cat([by_group[group] @ rows for group, rows in tensors]))

    def _group(self, name: str) -> str:
        return layer_of(name) if self.granularity == "layer" else name

    def group_weights(
        self,
        gramians: Float[Tensor, "groups k k"],
        tasks: tuple[int, ...] | None,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "groups k"]:
        """Weights of each group's rows; moves the targets."""
        chosen = torch.tensor(range(gramians.shape[-1]) if tasks is None else tasks)
        self.targets = enlarged(self.targets, len(gramians), 1 + int(chosen.max()))
        found = []
        for gramian, every in zip(gramians, self.targets, strict=True):
            targets = every[chosen[:, None], chosen]
            orders = [torch.randperm(len(chosen) - 1, generator=generator).tolist() for _ in range(len(chosen))]
            found.append(vaccinated(gramian, targets, self.beta, orders))
            every[chosen[:, None], chosen] = targets
        return torch.stack(found)


def enlarged(targets: Float[Tensor, "g n n"], groups: int, size: int) -> Float[Tensor, "groups K K"]:
    """As many groups and tasks as have been seen; new targets are 0."""
    if len(targets) >= groups and targets.shape[-1] >= size:
        return targets.clone()  # a state_dict may hold the former
    found = targets.new_zeros(max(groups, len(targets)), *[max(size, targets.shape[-1])] * 2)
    found[: len(targets), : targets.shape[1], : targets.shape[2]] = targets
    return found


def vaccinated(
    gramian: Float[Tensor, "k k"], targets: Float[Tensor, "k k"], beta: float, orders: Sequence[Sequence[int]]
) -> Float[Tensor, "k"]:
    """w = Cᵀ1 with p_i = Σ_j C_ij g_j; `orders[i]` is one of i's k − 1 others. Moves `targets` in place."""
    k, inner, target = len(gramian), gramian.numpy(), targets.numpy()
    coefficients = torch.eye(k, dtype=torch.float64).numpy()
    for i in range(k):
        others = [j for j in range(k) if j != i]
        for j in (others[n] for n in orders[i]):
            along = coefficients[i] @ inner[:, j]
            squares = (coefficients[i] @ inner @ coefficients[i], inner[j, j])
            if min(squares) <= 0:
                continue
            if min(squares) > LEAST and max(squares) < 1 / LEAST:
                lengths, ratio = (squares[0] * squares[1]) ** 0.5, (squares[0] / squares[1]) ** 0.5
            else:  # products and ratios of which are no numbers
                lengths, ratio = squares[0] ** 0.5 * squares[1] ** 0.5, squares[0] ** 0.5 / squares[1] ** 0.5
            seen = float(max(-1.0, min(1.0, along / lengths)))
            wanted = target[i, j]
            if seen < wanted:
                rest = ((1 - wanted**2) ** 0.5, (1 - seen**2) ** 0.5)
                turned = (wanted * rest[1] - seen * rest[0]) / rest[0]
                coefficients[i, j] += turned * ratio
            target[i, j] = max(-EDGE, min(EDGE, (1 - beta) * wanted + beta * seen))
    return torch.from_numpy(coefficients.sum(axis=0))
