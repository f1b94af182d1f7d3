"""DeepLabV3+ on a dilated ResNet."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.models.convolutional import ConvolutionalModel, check_size, check_widths
from mtl_bench.models.dense_head import Readout, enlarge
from mtl_bench.models.heads import build_heads
from mtl_bench.models.resnet_encoder import ResNetEncoder, load_timm_weights
from mtl_bench.models.spatial_pyramid import SpatialPyramid, norm_and_relu


class DeepLabV3Plus(ConvolutionalModel):
    """Dilated ResNet of `depth` and `width`, shared, and per task a spatial pyramid and a decoder.

    Source: Chen et al., ECCV 2018, §3.1 and Fig. 2.

    Shared tensors: the first stage's map at stride 4 and the last one's at `output_stride`. Head: `SpatialPyramid` of
    `head_width` channels; the first stage's map by a 1×1 convolution to `low_level` channels beside it; two 3×3
    convolutions and the prediction, resized to the image. `low_level=None` leaves that map out and keeps one 3×3
    convolution: DeepLabV3. `pretrained` loads timm's ImageNet weights; `task_norm` gives every task encoder norms of
    its own.

    With `low_level=None` and `output_stride=8` layer by layer LibMTL's for NYUv2 (`DeepLabHead` on `resnet_dilated`:
    256 channels, rates 12, 24, 36, a head of its own for every task), but for its dropout of 0.5 and aligned corners.
    Written from memory of the paper and not compared with it: the decoder with the first stage's map and its 48
    channels, rates 6, 12, 18 at stride 16. Deviations there: no depthwise separable convolutions and no multi-grid.

    Raises `BenchError` for options that `ResNetEncoder` refuses, for images of a single position in the last map, and
    for pretrained weights at another width or that are not to be had.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        depth: Literal[18, 50] = 50,
        width: int = 64,
        output_stride: Literal[8, 16] = 16,
        head_width: int = 256,
        low_level: int | None = 48,
        pretrained: bool = False,
        task_norm: bool = False,
    ) -> None:
        check_size("DeepLabV3Plus", input_shape, output_stride + 1)
        check_widths("head_width", head_width)
        check_widths("low_level", low_level)
        encoder = TwoScales(ResNetEncoder(input_shape[0], depth, width, output_stride), low_level is not None)
        if pretrained:
            load_timm_weights(encoder.backbone, input_shape[0], depth)
        size, (low, high) = (input_shape[1], input_shape[2]), (encoder.backbone.widths[1], encoder.backbone.features)
        sizes = (high, low, head_width, low_level)
        heads = build_heads(outputs, lambda n: DeepLabHead(sizes, 16 // output_stride, n, size))
        super().__init__(encoder, heads, task_norm)


class TwoScales(nn.Module):
    """What a ResNet's last stage gives, and before it the first stage's map if `both` are asked for."""

    def __init__(self, backbone: ResNetEncoder, both: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.both = both

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> list[Float[Tensor, "batch features h w"]]:
        _, first, *_, last = self.backbone.stages(x)
        return [first, last] if self.both else [last]


class DeepLabHead(nn.Module):
    """`sizes`: channels of the last map, of the first stage's, of the head, and what the latter's become (or none)."""

    def __init__(
        self, sizes: tuple[int, int, int, int | None], factor: int, outputs: int, size: tuple[int, int]
    ) -> None:
        super().__init__()
        high, low, hidden, reduced = sizes
        self.size = size
        self.pyramid = SpatialPyramid(high, hidden, tuple(factor * rate for rate in (6, 12, 18)))
        self.reduce = None if reduced is None else norm_and_relu(nn.Conv2d(low, reduced, 1, bias=False))
        inputs = [hidden] if reduced is None else [hidden + reduced, hidden]
        layers = [norm_and_relu(nn.Conv2d(before, hidden, 3, padding=1, bias=False)) for before in inputs]
        self.decode = nn.Sequential(*layers, Readout(hidden, outputs, 1))

    def forward(self, *features: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch n height width"]:
        x = self.pyramid(features[-1])
        if self.reduce is not None:
            fine = self.reduce(features[0])
            x = torch.cat([enlarge(x, (fine.shape[-2], fine.shape[-1])), fine], dim=1)
        return enlarge(self.decode(x), self.size)
