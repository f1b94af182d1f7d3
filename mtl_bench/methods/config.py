"""Conflict-free inverse gradients."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.imtl_g import equal_cosines
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.methods.numerical_rank import NumericalRank
from mtl_bench.methods.priorities import Prioritised


@dataclass(kw_only=True, eq=False)
class ConFIG(GramianWeighting, Prioritised, NumericalRank):
    """The direction with the same cosine to every task's gradient (Liu et al., ICLR 2025).

    d̂ = U⁺1 / ‖U⁺1‖ with rows u_k = g_k / ‖g_k‖ (0 for a zero gradient). `length` is that of d: "projection", the sum
    of the gradients' projections on it, d = (Σ_k g_k · d̂) d̂, as published, or k times the least ("min"), the greatest
    ("max") or the harmonic mean ("harmonic") of the norms of those that are not 0 (`raw_scale=True`: once).
    `priorities` make the cosines proportional to p. In the Gramian: with cosines C, d̂ ∝ Σ_k (C⁺1)_k u_k; eigenvalues
    of C below k `eps` of the largest count as 0 (`eps`: the rounding of float32 rows). Dependent gradients have equal
    cosines in least squares only; for two opposite ones d = 0. The direction of IMTL-G with another length; weights sum
    to k when the tasks agree. M-ConFIG, one task's momentum per step, is another method and not here.
    Cost: 1 forward, k encoder backwards.

    Raises what `NumericalRank` refuses.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"

    length: Literal["projection", "min", "max", "harmonic"] = "projection"

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        gramian, k = problem.gramian, len(problem.gramian)
        towards = equal_cosines(gramian, k * self.preference(problem.tasks, k), self.eps_of(k))
        products = gramian @ towards
        square = towards @ products  # ‖U⁺1‖²
        if square <= 0:
            return torch.zeros_like(towards)
        if self.length == "projection":
            return towards * (products.sum() / square)
        return towards * (self.norm(gramian) / square.sqrt())

    def norm(self, gramian: Float[Tensor, "k k"]) -> Float[Tensor, ""]:
        """‖d‖, where it follows the norms of the gradients."""
        norms = gramian.diagonal().sqrt()
        there = norms[norms > 0]
        found = {"min": there.min(), "max": there.max(), "harmonic": 1 / (1 / there).mean()}[self.length]
        return found if self.raw_scale else len(gramian) * found
