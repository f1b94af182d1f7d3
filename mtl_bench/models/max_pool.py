"""The pooling of a ResNet's stem."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class StemPool(nn.MaxPool2d):
    """Max-pool of 3×3 and stride 2 (He et al., CVPR 2016, §3.3).

    Where no gradient is going to be asked for, a CPU takes maxima of rows, then of columns: equal numbers
    sooner, because torch's kernel also looks for where they are (for channels last it has a fast one).
    """

    def __init__(self) -> None:
        super().__init__(3, stride=2, padding=1)

    def forward(self, input: Float[Tensor, "batch width h w"]) -> Float[Tensor, "batch width H W"]:
        if torch.is_grad_enabled() or input.device.type != "cpu" or not input.is_contiguous():
            return super().forward(input)
        padded = nn.functional.pad(input, (1, 1, 1, 1), value=-math.inf)
        rows = torch.maximum(torch.maximum(padded[..., :-2:2], padded[..., 1:-1:2]), padded[..., 2::2])
        return torch.maximum(torch.maximum(rows[..., :-2:2, :], rows[..., 1:-1:2, :]), rows[..., 2::2, :])
