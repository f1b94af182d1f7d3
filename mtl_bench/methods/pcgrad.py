"""Projecting conflicting gradients."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.gradient import GramianWeighting


@dataclass(kw_only=True, eq=False)
class PCGrad(GramianWeighting):
    """Each task's gradient loses its part against every other one it conflicts with (Yu et al., NeurIPS 2020, alg. 1).

    For each i, over the other tasks j in random order: if p_i · g_j < 0, p_i ← p_i − (p_i · g_j / ‖g_j‖²) g_j, with g_j
    the original gradient; d = Σ_i p_i. Here p_i = Σ_j C_ij g_j, so that only the coefficients C [k, k] are tracked:
    p_i · g_j = C_i G_j, and w = Cᵀ1. A zero gradient conflicts with nothing. One order is drawn per i; many ports share
    one, average instead of summing, or project tensor by tensor, which are other methods.
    Cost: 1 forward, k encoder backwards, k³ on the host.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"

    def weights(
        self,
        gramian: Float[Tensor, "k k"],
        *,
        losses: Float[Tensor, "k"] | None = None,
        tasks: tuple[int, ...] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "k"]:
        k = len(gramian)
        inner = gramian.numpy()
        coefficients = torch.eye(k, dtype=torch.float64).numpy()
        for i in range(k):
            for j in torch.randperm(k, generator=generator).tolist():
                product = coefficients[i] @ inner[:, j]
                if j != i and product < 0 < inner[j, j]:  # a squared norm may underflow to 0
                    coefficients[i, j] -= product / inner[j, j]
        return torch.from_numpy(coefficients.sum(axis=0))
