"""The mean gradient, projected until no task objects."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.methods.priorities import Prioritised
from mtl_bench.methods.solvers.dual_cone import BOUND, onto_dual_cone


@dataclass(kw_only=True, eq=False)
class DualProj(GramianWeighting, Prioritised):
    """The nearest direction to Σ p_k g_k among those to which no task objects, {d : g_k · d ≥ 0 for all k}: gradient
    episodic memory (Lopez-Paz & Ranzato, NeurIPS 2017) with the tasks in place of memories.

    w = argmin vᵀGv over v ≥ p. Without conflict with the sum it is the sum. Unlike UPGrad it is not linear in the
    scale of a task. p: `priorities`. Solved exactly, without a ridge but where rounding makes gradients opposite
    (TorchJD adds 1e-4 of the trace to the diagonal); a residual above 1e-8 (of unit gradients) is counted. Weights sum
    to 1 when the tasks agree (times k here; `raw_scale=True`: as published).
    Cost: 1 forward, k encoder backwards.
    """

    natural_sum: ClassVar[Literal[1]] = 1

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        preference = self.preference(problem.tasks, len(problem.gramian))
        projected, residual = onto_dual_cone(problem.gramian.numpy(), preference[None].numpy())
        self.solver_failures += int(residual > BOUND)
        return torch.from_numpy(projected[0])
