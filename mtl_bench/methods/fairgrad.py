"""Fair resource allocation between the tasks."""

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

RANGE = (0.05, 500)  # of α: beyond it, gradients of similar lengths are missed, too


@dataclass(kw_only=True, eq=False)
class FairGrad(GramianWeighting, Prioritised):
    """w > 0 with (Gw)_k = w_k^(−1/α): the direction that maximises the α-fair utility Σ_k (g_k · d)^(1−α) / (1 − α) of
    the tasks' progress (Ban & Ji, ICML 2024).

    α = 1 is Nash-MTL, α → ∞ the max-min direction, and α → 0 that of DualProj (tests: cosine above 0.98 at α ≤ 0.1),
    which is the plain sum where no task objects to it; d · g_k > 0 for every task. `priorities` weigh the utilities
    (ours): (Gw)_k = (k p_k / w_k)^(1/α), bargaining powers at α = 1. `alpha` = 2 as in all released runs.
    d is multiplied by k and then bounded by `max_norm` = 1, both as released (LibMTL: neither; `raw_scale=True`, and
    `max_norm=null`).

    Solved exactly as a convex problem; |(Gw)_k w_k^(1/α) − 1| above 1e-8, beyond what rounding makes of it, is counted:
    it happens for α below 0.2 or above 50 where the lengths of gradients are a hundredfold apart (tests: none between).
    Released code runs nonlinear least squares from w = 1/k, which may stop away from a root. Where a mixture of the
    gradients vanishes there is no solution, and 1e-7 of each squared norm is added to the diagonal. A task with a zero
    gradient has weight 0.
    Cost: 1 forward, k encoder backwards.

    Raises BenchError for α outside [0.05, 500].
    """

    natural_sum: ClassVar[None] = None
    revision: ClassVar[int] = 2

    alpha: float = 2.0
    max_norm: float | None = 1.0

    def check_options(self) -> None:
        super().check_options()
        if not RANGE[0] <= self.alpha <= RANGE[1]:
            raise BenchError(
                f"method.alpha lies in [{RANGE[0]}, {RANGE[1]}], where it can be solved; got {self.alpha}."
            )

    def scaled(self, weights: Float[Tensor, "k"]) -> Float[Tensor, "k"]:
        return weights if self.raw_scale else weights * len(weights)

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        k = len(problem.gramian)
        powers = k * self.preference(problem.tasks, k)
        weights, residual = alpha_fair(problem.gramian.numpy(), self.alpha, powers.numpy())
        self.solver_failures += int(residual > BOUND)
        return torch.from_numpy(weights)
