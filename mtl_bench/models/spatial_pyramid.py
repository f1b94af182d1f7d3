"""Atrous spatial pyramid pooling."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SpatialPyramid(nn.Module):
    """One map seen at several distances (Chen et al., "Rethinking atrous convolution", 2017, §3.3, Fig. 5).

    A 1×1 convolution, 3×3 convolutions dilated by `rates`, and the mean over the image, each to `features` channels
    with norm and ReLU; a 1×1 convolution mixes them. The mean's norm needs two images in a training batch.
    """

    def __init__(self, inputs: int, features: int, rates: Sequence[int]) -> None:
        super().__init__()
        near = norm_and_relu(nn.Conv2d(inputs, features, 1, bias=False))
        far = [nn.Conv2d(inputs, features, 3, padding=rate, dilation=rate, bias=False) for rate in rates]
        self.branches = nn.ModuleList([near, *map(norm_and_relu, far)])
        self.mean = norm_and_relu(nn.Conv2d(inputs, features, 1, bias=False))
        self.mix = norm_and_relu(nn.Conv2d((len(rates) + 2) * features, features, 1, bias=False))

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch features h w"]:
        seen = [branch(x) for branch in self.branches]
        seen.append(self.mean(x.mean(dim=(2, 3), keepdim=True)).expand_as(seen[0]))
        found: Tensor = self.mix(torch.cat(seen, dim=1))
        return found


def norm_and_relu(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU())
