"""Features of every task at every scale, each scale told what all tasks knew at the coarser one."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.dense_head import enlarge
from mtl_bench.models.feature_propagation import FeaturePropagation
from mtl_bench.models.padding import padded
from mtl_bench.models.pretrained import timm_model
from mtl_bench.models.resnet_encoder import BasicBlock, ResNetEncoder, load_timm_weights

STRIDE = 32  # of the coarsest scale


class TaskScales(nn.Module):
    """Per scale and task two residual blocks on the backbone's map and, but at the coarsest scale, on the enlarged
    features that `FeaturePropagation` hands down (MTI-Net §3.3).
    """

    def __init__(self, backbone: nn.Module, widths: Sequence[int], tasks: Sequence[str]) -> None:
        super().__init__()
        self.backbone = backbone
        inputs = [finer + coarser for finer, coarser in pairwise(widths)] + [widths[-1]]
        self.initial = nn.ModuleList(
            nn.ModuleDict({task: _refine(before, after) for task in tasks})
            for before, after in zip(inputs, widths, strict=True)
        )
        self.propagate = nn.ModuleList(FeaturePropagation(width, tasks) for width in widths[1:])

    def forward(self, image: Float[Tensor, "batch channels height width"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Finest scale first, within a scale in the order of the tasks."""
        maps = self.backbone(padded(image, STRIDE))
        found = [[refine(maps[-1]) for refine in self._tasks(-1)]]
        for scale in reversed(range(len(maps) - 1)):
            size = (maps[scale].shape[-2], maps[scale].shape[-1])
            handed = self.propagate[scale](found[0])
            inputs = [torch.cat([maps[scale], enlarge(one, size)], dim=1) for one in handed]
            found.insert(0, [refine(x) for refine, x in zip(self._tasks(scale), inputs, strict=True)])
        return [features for scale in found for features in scale]

    def _tasks(self, scale: int) -> list[nn.Module]:
        return list(self.initial[scale].children())


class ResNetScales(ResNetEncoder):
    """The four stages of a ResNet."""

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> list[Float[Tensor, "batch _ _ _"]]:  # type: ignore[override]
        return self.stages(x)[1:]


class Copy(nn.Module):
    """In the place of a residual block's stochastic depth: timm adds the identity in place, into the output of a norm,
    where engines read.
    """

    def forward(self, x: Float[Tensor, "batch features h w"]) -> Float[Tensor, "batch features h w"]:
        return x.clone()


def backbone_of(name: str, channels: int, width: int, pretrained: bool) -> tuple[nn.Module, list[int]]:
    """A backbone that gives maps at strides 4, 8, 16 and 32, and their channels; `width` is a ResNet's.

    Raises BenchError for another name, and for weights that are not to be had.
    """
    if name != "resnet18" and not name.startswith("hrnet"):
        raise BenchError(f"There is no backbone {name!r} here: set model.backbone to resnet18 or hrnet_w18.")
    if name == "resnet18":
        resnet = ResNetScales(channels, 18, width)
        if pretrained:
            load_timm_weights(resnet, channels, 18)
        return resnet, resnet.widths[1:]
    options = {"features_only": True, "feature_location": "", "out_indices": (1, 2, 3, 4)}
    hrnet = timm_model(name, pretrained, in_chans=channels, **options)
    for block in hrnet.modules():
        if hasattr(block, "drop_path"):
            block.drop_path = Copy()
    return hrnet, list(hrnet.feature_info.channels())  # type: ignore[union-attr, operator]


def _refine(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(inputs, outputs, 1, 1, 1), BasicBlock(outputs, outputs, 1, 1, 1))
