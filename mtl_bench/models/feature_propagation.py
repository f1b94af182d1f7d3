"""MTI-Net's way from one scale to the next."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.models.resnet_encoder import BasicBlock

REDUCTION = 16  # of squeeze and excitation (Hu et al., CVPR 2018, §4)


class FeaturePropagation(nn.Module):
    """What every task hands to its next finer scale (MTI-Net §3.3, Fig. 4).

    All tasks' features, one beside the other, go through a bottleneck of residual blocks; a softmax over tasks says,
    per channel and pixel, which of them count. What is left is reduced to `width` channels, the same for all; each task
    takes of it by channels (squeeze and excitation) and adds it to its own features.
    """

    def __init__(self, width: int, tasks: Sequence[str]) -> None:
        super().__init__()
        every = len(tasks) * width
        inner = max(1, every // 4)
        self.relate = nn.Sequential(
            BasicBlock(every, inner, 1, 1, 1), BasicBlock(inner, inner, 1, 1, 1), nn.Conv2d(inner, every, 1)
        )
        self.reduce = BasicBlock(every, width, 1, 1, 1)
        self.excite = nn.ModuleDict({task: ChannelGate(width) for task in tasks})

    def forward(self, features: list[Float[Tensor, "batch width h w"]]) -> list[Float[Tensor, "batch width h w"]]:
        together = torch.cat(features, dim=1)
        shares = self.relate(together).unflatten(1, (len(features), -1)).softmax(dim=1).flatten(1, 2)
        common = self.reduce(shares * together)
        return [own + gate(common) for own, gate in zip(features, self.excite.children(), strict=True)]


class ChannelGate(nn.Module):
    """Squeeze and excitation: channels scaled by what their means say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // REDUCTION)
        self.gate = nn.Sequential(nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels), nn.Sigmoid())

    def forward(self, x: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
        scale: Tensor = self.gate(x.mean(dim=(2, 3)))
        return x * scale[:, :, None, None]
