"""Random loss weighting."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.loss_weighting import LossWeighting


@dataclass(kw_only=True, eq=False)
class RandomLossWeighting(LossWeighting):
    """w = softmax(v), v ~ N(0, I_k), drawn anew for every batch (Lin et al., TMLR 2022, normal law).

    E[w] = 1/k, so that under SGD the raw method steps k times shorter than the plain sum; here w is multiplied by k
    (`raw_scale=True`: as published). With `scale_heads=False` it is RGW: heads feel no weight.
    Cost: 1 forward, 1 backward. The draw lives on the host and is copied to the device; nothing comes back.
    """

    natural_sum: ClassVar[Literal[1]] = 1
    separable: ClassVar[bool] = False

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        draw = torch.randn(len(tasks), generator=generator)
        return draw.softmax(dim=0).to(values.device, non_blocking=True)
