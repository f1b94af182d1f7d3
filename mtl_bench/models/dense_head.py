"""A small head for one value per pixel."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn


def dense_head(features: int, hidden: int, outputs: int, size: tuple[int, int]) -> nn.Sequential:
    """3×3 convolution, norm, ReLU, 1×1 convolution to `outputs`, bilinear enlargement to `size` (height, width)."""
    return nn.Sequential(
        nn.Conv2d(features, hidden, 3, padding=1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(),
        Readout(hidden, outputs, 1),
        Enlarge(size),
    )


class Readout(nn.Conv2d):
    """A head's last convolution, which starts as torch draws convolutions.

    By fan-out, as the others start, one output channel would begin with predictions ten times as large as its target,
    and most of a short run would go into taking that back.
    """


class Enlarge(nn.Module):
    """`enlarge` to (height, width)."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, maps: Float[Tensor, "batch n h w"]) -> Float[Tensor, "batch n height width"]:
        return enlarge(maps, self.size)


def enlarge(maps: Float[Tensor, "batch n h w"], size: tuple[int, int]) -> Float[Tensor, "batch n height width"]:
    """Bilinear enlargement, corners not aligned: `interpolate` as two matrix products.

    On a CPU that takes a sixth of the time (no detour through channels-last), and on a GPU its gradient is the same in
    every run without a slower form.
    """
    rows = interpolation(maps.shape[-2], size[0], maps.dtype, maps.device)
    columns = interpolation(maps.shape[-1], size[1], maps.dtype, maps.device)
    return rows @ (maps @ columns.T)


@lru_cache(maxsize=64)
def interpolation(old: int, new: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "new old"]:
    """Row i holds what each old position gives to new position i; pixel centres lie at (i + ½) / new of the side."""
    exact = torch.float64 if dtype == torch.float64 else torch.float32  # bfloat16 cannot hold the positions
    centres = (torch.arange(new, dtype=exact, device=device) + 0.5) * (old / new) - 0.5
    distance = centres.clamp(0, old - 1)[:, None] - torch.arange(old, dtype=exact, device=device)
    return (1 - distance.abs()).clamp(min=0).to(dtype)
