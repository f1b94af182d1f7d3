"""Multiple-gradient descent."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.methods.solvers.min_norm import min_norm

GAP = 1e-8  # optimality gap above which the solver is counted as failed, relative to the shortest squared gradient


@dataclass(kw_only=True, eq=False)
class MGDA(GramianWeighting):
    """w = argmin wᵀGw over the simplex: the common descent direction of smallest norm (Désidéri 2012; Sener & Koltun,
    NeurIPS 2018).

    d · g_k ≥ ‖d‖² for every task; d = 0 exactly at a Pareto-stationary point. Weights sum to 1 (times k here;
    `raw_scale=True`: as published). `normalise` divides gradients before the solve by "l2" ‖g_k‖, "loss" l_k or "loss+"
    l_k ‖g_k‖. Its weights are then applied to the gradients as they are (`applied_to="raw"`, as in released code, where
    d may conflict with a task), or to the divided ones, with factors that again sum to 1 (`applied_to="normalised"`: d
    · g_k ≥ 0, and with "l2" d does not turn when a loss is rescaled). `at="feature"` is MGDA-UB with all samples of the
    batch stacked, which its bound needs (LibMTL sums over the batch instead). Released solvers iterate Frank–Wolfe to
    1e-3; this one is exact, and a gap above 1e-8 of the shortest gradient's square is counted. Raw MGDA follows the
    smallest gradients. With "loss" and "loss+" a negative loss gives NaN, which is counted and skipped. Cost: 1
    forward, k encoder backwards (UB: 1).

    Raises BenchError for an unknown normalisation, and for one by losses of a Gramian that comes without them.
    """

    natural_sum: ClassVar[Literal[1]] = 1

    normalise: Literal["none", "l2", "loss", "loss+"] = "none"
    applied_to: Literal["raw", "normalised"] = "raw"

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        gramian, losses = problem.gramian, problem.losses
        scale = torch.ones(len(gramian), dtype=gramian.dtype)
        if self.normalise in ("l2", "loss+"):
            scale = scale * gramian.diagonal().clamp(min=0).sqrt()
        if self.normalise in ("loss", "loss+"):
            if losses is None:
                raise BenchError(f"normalise={self.normalise} divides by the losses; give weights(gramian, losses=…).")
            if (losses < 0).any():  # which a sign turned round would hide
                return torch.full_like(losses, torch.nan)
            scale = scale * losses
        scale = torch.where(scale > 0, scale, 1.0)  # a zero gradient or loss stays as it is
        weights, gap = min_norm((gramian / torch.outer(scale, scale)).numpy())
        self.solver_failures += int(gap > GAP)
        found = torch.from_numpy(weights)
        return found if self.applied_to == "raw" else found / scale / (found / scale).sum()
