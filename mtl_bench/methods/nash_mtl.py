"""Nash bargaining of the tasks."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.methods.priorities import Prioritised
from mtl_bench.methods.solvers.alpha_fair import BOUND, alpha_fair


@dataclass(kw_only=True, eq=False)
class NashMTL(GramianWeighting, Prioritised):
    """w > 0 with (Gw)_k = 1 / w_k: Nash's bargaining solution between the tasks (Navon et al., ICML 2022, claim 3.1).

    d = Gᵀw then has d · g_k = 1 / w_k > 0 and ‖d‖ = √k, whatever the lengths of the gradients: d does not change when
    a loss is rescaled. `max_norm` = 1, as published, therefore makes every direction a unit vector; without it the
    learning rate means something else. `priorities` are bargaining powers: (Gw)_k = k p_k / w_k.

    Solved exactly as a convex problem; |(Gw)_k w_k − 1| above 1e-8, beyond what rounding makes of it, is counted. Where
    a mixture of the gradients vanishes, there is no solution, and 1e-7 of each squared norm is added to the diagonal. A
    task with a zero gradient has weight 0.
    Released code linearises the problem up to 20 times from the last weights, to 1e-3, and keeps the last weights
    without a word where its solver fails or is not installed; it solves for G / ‖G‖ and does not scale the weights
    back, which only its clipping hides; it can reuse weights for several batches, and scales the heads' gradients by
    them as well (`scale_heads`).
    Cost: 1 forward, k encoder backwards.
    """

    natural_sum: ClassVar[None] = None

    max_norm: float | None = 1.0

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        k = len(problem.gramian)
        powers = k * self.preference(problem.tasks, k)
        weights, residual = alpha_fair(problem.gramian.numpy(), 1.0, powers.numpy())
        self.solver_failures += int(residual > BOUND)
        return torch.from_numpy(weights)
