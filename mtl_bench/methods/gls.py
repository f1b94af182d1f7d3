"""Geometric loss strategy."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.loss_weighting import LossWeighting
from mtl_bench.methods.priorities import Prioritised
from mtl_bench.methods.task_values import positive


@dataclass(kw_only=True, eq=False)
class GeometricLoss(LossWeighting, Prioritised):
    """The geometric mean of the losses, L = exp(1/k Σ_i log l_i), so that w_i = L / (k l_i) (Chennupati et al., CVPR
    Workshops 2019, GLS).

    Its direction is that of the scale-invariant sum; its length follows L, so that a loss near 0 does not blow up the
    step. When the losses are equal the weights sum to 1 (times k here: L / l_i; `raw_scale=True`: as published).
    `priorities` make it the weighted mean Π_i l_i^{p_i} (ours). Computed through logarithms: the product of many losses
    underflows, and a library that multiplies them logs other weights than these. 1e-8 is added to a loss; a negative
    one gives NaN, which is counted and skipped.
    Cost: 1 forward, 1 backward, no memory. State: none. No host copy.
    """

    natural_sum: ClassVar[Literal[1]] = 1
    separable: ClassVar[bool] = False

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        losses = positive(values)
        shares = self.preference(tasks, len(tasks)).to(losses, non_blocking=True)
        return shares * (torch.dot(shares, losses.log()) - losses.log()).exp()
