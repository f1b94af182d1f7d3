"""Unconflicting projection of gradients."""

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
class UPGrad(GramianWeighting, Prioritised):
    """The mean of the tasks' gradients, each projected onto the directions to which no task objects,
    {d : g_k · d ≥ 0 for all k} (Quinton & Rey, 2024).

    w = Σ_k v^(k), v^(k) minimising vᵀGv over v ≥ p_k e_k; d · g_k ≥ 0 for every task, and d = Σ p_k g_k where no two
    conflict. Rescaling a task's loss rescales its share of d and nothing else. p: `priorities`.
    Solved exactly, without a ridge but where rounding makes gradients opposite; a residual above 1e-8 (of unit
    gradients) is counted. TorchJD's default adds
    1e-4 of the trace to the diagonal, which leaves slight conflicts, and large ones for short gradients. Weights sum
    to 1 when the tasks agree (times k here; `raw_scale=True`: as published). With two tasks it is PCGrad.
    Cost: 1 forward, k encoder backwards, k least-squares problems of size k.
    """

    natural_sum: ClassVar[Literal[1]] = 1

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        preference = self.preference(problem.tasks, len(problem.gramian))
        projected, residual = onto_dual_cone(problem.gramian.numpy(), preference.diag().numpy())
        self.solver_failures += int(residual > BOUND)
        return torch.from_numpy(projected.sum(axis=0))
