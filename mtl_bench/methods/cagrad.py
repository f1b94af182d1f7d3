"""Conflict-averse gradient descent."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.methods.priorities import Prioritised
from mtl_bench.methods.solvers.conflict_averse import conflict_averse

WIDEST = 1_000_000  # of c: MGDA's direction to twelve digits, and its square is far from overflow
GAP = 1e-8  # relative duality gap above which the solver is counted as failed


@dataclass(kw_only=True, eq=False)
class CAGrad(GramianWeighting, Prioritised):
    """The d with the largest min_k g_k · d within c ‖g₀‖ of the mean gradient g₀ (Liu et al., NeurIPS 2021).

    d = g₀ + c ‖g₀‖ g_w / ‖g_w‖, w = argmin g_w · g₀ + c ‖g₀‖ ‖g_w‖ over the simplex, g_w = Gᵀw; so the weights are
    1/k + c ‖g₀‖ w / ‖g_w‖. c = 0 is the plain sum, large c MGDA. `priorities` make g₀ = Σ p_k g_k (the mean loss of the
    paper, weighted), to whose stationary points c < 1 converges.

    `rescale` divides d: by 1 + c, so that tasks that agree make the plain sum (an option of released code, where its
    toy problem has it); by 1 + c² (its default, after which it multiplies by k as this suite does; LibMTL does not:
    `raw_scale=True`); or not (the paper's algorithm). Solved exactly, where released code runs SLSQP on G with 1e-8
    under the roots, which is not scale-free; a duality gap above 1e-8 of (1 + c) ‖g₀‖ max_k ‖g_k‖ is counted. c = 0.4
    is the paper's on NYUv2 (LibMTL 0.5).
    Cost: 1 forward, k encoder backwards.

    Raises BenchError for c that is negative or above a million.
    """

    natural_sum: ClassVar[Literal[1]] = 1

    c: float = 0.4
    rescale: Literal["1+c", "1+c2", "none"] = "1+c"

    def check_options(self) -> None:
        super().check_options()
        if not 0 <= self.c <= WIDEST:
            raise BenchError(f"method.c is not negative and at most {WIDEST:,}, got {self.c}.")

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        preference = self.preference(problem.tasks, len(problem.gramian))
        weights, gap = conflict_averse(problem.gramian.numpy(), self.c, preference.numpy())
        self.solver_failures += int(gap > GAP)
        return torch.from_numpy(weights) / {"1+c": 1 + self.c, "1+c2": 1 + self.c**2, "none": 1.0}[self.rescale]
