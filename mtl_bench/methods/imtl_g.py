"""Impartial gradients."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.methods.numerical_rank import NumericalRank
from mtl_bench.methods.solvers.cosines import cosines_of


@dataclass(kw_only=True, eq=False)
class IMTLG(GramianWeighting, NumericalRank):
    """Weights of sum 1 under which d has the same projection on every task's gradient: d · g_k / ‖g_k‖ equal for all k
    (Liu et al., ICLR 2021).

    With cosines C: w_k ∝ (C⁺1)_k / ‖g_k‖, which equals the paper's difference matrix for independent gradients;
    eigenvalues of C below k `eps` of the largest count as 0 (`eps`: the rounding of float32 rows), and where
    independence fails the projections are equal in least squares. Weights may be negative. They are all 0, no step on
    the shared parameters, where their sum vanishes, as for two opposite gradients. A zero gradient has weight 0.
    The published sum is 1 (times k here; `raw_scale=True`: as published). Inside the weighting `imtl_l` it is IMTL;
    many tables' "IMTL" is this method alone.
    Cost: 1 forward, k encoder backwards.

    Raises what `NumericalRank` refuses.
    """

    natural_sum: ClassVar[Literal[1]] = 1

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        k = len(problem.gramian)
        weights = equal_cosines(problem.gramian, torch.ones(k, dtype=torch.float64), self.eps_of(k))
        total = weights.sum()
        return weights / total if total.abs() > 1e-12 * weights.abs().sum() else torch.zeros_like(weights)


def equal_cosines(gramian: Float[Tensor, "k k"], shares: Float[Tensor, "k"], eps: float) -> Float[Tensor, "k"]:
    """Weights whose d has d · g_k / ‖g_k‖ = `shares`, in least squares of unit gradients; 0 for a zero gradient."""
    cosines, inverse = map(torch.from_numpy, cosines_of(gramian.numpy()))
    shares = shares * (inverse > 0)
    towards = torch.linalg.pinv(cosines, rtol=len(gramian) * eps, hermitian=True) @ shares
    if towards.norm() <= 1e-10 * shares.norm():  # what opposite gradients leave is rounding
        towards = torch.zeros_like(towards)
    return inverse * towards
