"""What belongs to one task of an MTI-Net."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.models.dense_head import Readout, enlarge
from mtl_bench.models.padding import enlarge_and_crop
from mtl_bench.models.task_scales import STRIDE


class DistillingHead(nn.Module):
    """Initial predictions at every scale, distillation from the other tasks, aggregation, prediction.

    `place` of the task among `tasks`; features come finest scale first, within a scale in the order of the tasks.
    Aggregation as in HRNet's segmentation head: all scales enlarged to the finest, concatenated, one 1×1 convolution
    with norm and ReLU, and the readout.
    """

    def __init__(self, place: int, tasks: int, widths: Sequence[int], outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.place, self.tasks, self.size = place, tasks, size
        self.initial = nn.ModuleList(Readout(width, outputs, 1) for width in widths)
        self.distil = nn.ModuleList(
            nn.ModuleList(SpatialAttention(width) for _ in range(tasks - 1)) for width in widths
        )
        every = sum(widths)
        self.aggregate = nn.Sequential(nn.Conv2d(every, every, 1, bias=False), nn.BatchNorm2d(every), nn.ReLU())
        self.readout = Readout(every, outputs, 1)

    def forward(self, *features: Float[Tensor, "batch _ _ _"]) -> list[Float[Tensor, "batch n height width"]]:
        scales = [list(features[start : start + self.tasks]) for start in range(0, len(features), self.tasks)]
        own = [scale.pop(self.place) for scale in scales]
        fine = (own[0].shape[-2], own[0].shape[-1])
        told = [self._told(distil, mine, others) for distil, mine, others in zip(self.distil, own, scales, strict=True)]
        joint = self.aggregate(torch.cat([enlarge(scale, fine) for scale in told], dim=1))
        maps = [self.readout(joint), *(initial(scale) for initial, scale in zip(self.initial, own, strict=True))]
        return [enlarge_and_crop(one, self.size, STRIDE) for one in maps]

    def _told(self, distil: nn.Module, own: Tensor, others: list[Tensor]) -> Tensor:
        for attention, other in zip(distil.children(), others, strict=True):
            own = own + attention(other)
        return own


class SpatialAttention(nn.Module):
    """What of another task's features is worth taking: a 3×3 convolution times a gate per channel and pixel (eq. 1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.message = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, other: Float[Tensor, "batch width h w"]) -> Float[Tensor, "batch width h w"]:
        return self.gate(other).sigmoid() * self.message(other)
