"""Fair resource allocation between the tasks."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.methods.priorities import Prioritised
from mtl_bench.methods.solvers.alpha_fair import BOUND, alpha_fair


@dataclass(kw_only=True, eq=False)
class FairGrad(GramianWeighting, Prioritised):
    """w > 0 with (Gw)_k = w_k^(−1/α): the direction that maximises the α-fair utility Σ_k (g_k · d)^(1−α) / (1 − α) of
    the tasks' progress (Ban & Ji, ICML 2024).

    α = 1 is Nash-MTL, α → 0 the plain sum, α → ∞ the max-min direction; d · g_k > 0 for every task. `priorities` weigh
    the utilities (ours): (Gw)_k = (k p_k / w_k)^(1/α), bargaining powers at α = 1. `alpha` = 2 as in all released runs.
    d is multiplied by k and then bounded by `max_norm` = 1, both as released (LibMTL: neither; `raw_scale=True`, and
    `max_norm=null`).

    Solved exactly as a convex problem; |(Gw)_k w_k^(1/α) − 1| above 1e-8, beyond what rounding makes of it, is counted.
    Released code runs nonlinear least squares from w = 1/k, which may stop away from a root. Where a mixture of the
    gradients vanishes there is no solution, and 1e-7 of each squared norm is added to the diagonal. A task with a zero
    gradient has weight 0.
    Cost: 1 forward, k encoder backwards.

    Raises BenchError for α that is not positive and finite.
    """

    natural_sum: ClassVar[None] = None
    revision: ClassVar[int] = 2

    alpha: float = 2.0
    max_norm: float | None = 1.0

    def check_options(self) -> None:
        super().check_options()
        if not 0 < self.alpha < math.inf:
            raise BenchError(f"method.alpha is positive and finite, got {self.alpha}.")

    def scaled(self, weights: Float[Tensor, "k"]) -> Float[Tensor, "k"]:
        return weights if self.raw_scale else weights * len(weights)

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        k = len(problem.gramian)
        powers = k * self.preference(problem.tasks, k)
        weights, residual = alpha_fair(problem.gramian.numpy(), self.alpha, powers.numpy())
        self.solver_failures += int(residual > BOUND)
        return torch.from_numpy(weights)
