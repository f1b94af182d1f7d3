"""One backbone of four scales, read at all of them."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.models.convolutional import ConvolutionalModel
from mtl_bench.models.dense_head import Readout, enlarge
from mtl_bench.models.heads import build_heads
from mtl_bench.models.padding import enlarge_and_crop, padded
from mtl_bench.models.task_scales import STRIDE, backbone_of


class MultiScaleNet(ConvolutionalModel):
    """A backbone and HRNet's segmentation head (Sun et al. 2019, HRNetV2) per task; MTI-Net's single-task model.

    The backbone's maps at strides 4, 8, 16 and 32 are the shared tensors, finest first. A head enlarges all to the
    finest, lays one on the other, and goes through a 1×1 convolution with norm and ReLU and the readout. With several
    tasks this is the multi-task baseline of the MTI-Net release. `backbone`: any `hrnet_…` of timm's, or `resnet18` of
    `width`. `pretrained` loads timm's ImageNet weights; `task_norm` gives every task norms of its own outside heads.

    Released (Vandenhende et al. 2020): this head on HRNet, for single tasks and the baseline. Inferred: the same on
    ResNet-18's four stages. Images are padded to multiples of 32.

    Raises `BenchError` for another backbone, and for weights that are not to be had.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        backbone: str = "hrnet_w18",
        width: int = 64,
        pretrained: bool = False,
        task_norm: bool = False,
    ) -> None:
        channels, *image = input_shape
        trunk, widths = backbone_of(backbone, channels, width, pretrained)
        size = (image[0], image[1])
        heads = build_heads(outputs, lambda n: FusingHead(sum(widths), n, size))
        super().__init__(PaddedScales(trunk), heads, task_norm)


class PaddedScales(nn.Module):
    """The backbone's maps of the padded image."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, image: Float[Tensor, "batch channels height width"]) -> list[Float[Tensor, "batch _ _ _"]]:
        return list(self.backbone(padded(image, STRIDE)))


class FusingHead(nn.Module):
    """All scales at the finest, one convolution, and a prediction of `size` (height, width)."""

    def __init__(self, features: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.fuse = nn.Sequential(nn.Conv2d(features, features, 1, bias=False), nn.BatchNorm2d(features), nn.ReLU())
        self.readout = Readout(features, outputs, 1)
        self.size = size

    def forward(self, *scales: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch n height width"]:
        fine = (scales[0].shape[-2], scales[0].shape[-1])
        joint = self.fuse(torch.cat([enlarge(scale, fine) for scale in scales], dim=1))
        return enlarge_and_crop(self.readout(joint), self.size, STRIDE)
