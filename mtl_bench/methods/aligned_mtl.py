"""Independent components of the gradients, made equally long."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.methods.numerical_rank import NumericalRank
from mtl_bench.methods.priorities import Prioritised

Scale = Literal["min", "median", "rmse"]


@dataclass(kw_only=True, eq=False)
class AlignedMTL(GramianWeighting, Prioritised, NumericalRank):
    """w = k B p, B = σ V Λ^(−1/2) Vᵀ from G = V Λ Vᵀ: the nearest orthogonal gradients of one length σ (Senushkin et
    al., CVPR 2023).

    `scale` is σ: the square root of the smallest ("min", published), median or mean ("rmse") eigenvalue kept, that is,
    above k `eps` of the largest. `eps` decides the rank and with it, under "min", the length of the step: the default
    is float32's, the rounding of the rows (and of the released code's Gramian). Weights sum to k when the tasks agree.
    p: `priorities`, which enter behind B, not through the losses. `at="feature"` is Aligned-MTL-UB.
    Cost: 1 forward, k encoder backwards (UB: 1).

    Raises what `NumericalRank` refuses.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"

    scale: Scale = "min"

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        k = len(problem.gramian)
        return balance(problem.gramian, self.scale, self.eps_of(k)) @ (k * self.preference(problem.tasks, k))


def balance(gramian: Float[Tensor, "k k"], scale: Scale, eps: float) -> Float[Tensor, "k k"]:
    """B; the identity for gradients that are all 0."""
    eigenvalues, vectors = torch.linalg.eigh(gramian)
    kept = eigenvalues > len(gramian) * eps * eigenvalues[-1].clamp(min=0)
    if not eigenvalues[-1] > 0:
        return torch.eye(len(gramian), dtype=gramian.dtype)
    eigenvalues, vectors = eigenvalues[kept], vectors[:, kept]
    square = {"min": eigenvalues[0], "median": eigenvalues.median(), "rmse": eigenvalues.mean()}[scale]
    return (vectors * (square / eigenvalues).sqrt()) @ vectors.T
