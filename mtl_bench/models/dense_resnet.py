"""ResNet encoders for dense prediction."""

from collections.abc import Mapping
from typing import Literal

from mtl_bench.errors import BenchError
from mtl_bench.models.convolutional import ConvolutionalModel, check_size
from mtl_bench.models.dense_head import dense_head
from mtl_bench.models.heads import build_heads
from mtl_bench.models.pyramid import PyramidEncoder
from mtl_bench.models.resnet_encoder import ResNetEncoder, Stem


class DenseResNet(ConvolutionalModel):
    """Dilated ResNet, and one small fully convolutional head per task: outputs `[batch, outputs, height, width]`.

    Encoder: `ResNetEncoder` (`depth`, `width` = channels of the first stage, `output_stride`, `stem`); the shared
    tensor is `[batch, features, ⌈height/output_stride⌉, ⌈width/output_stride⌉]`, features = 8 or 32 times `width`.
    With `pyramid` channels it is the finest map of a feature pyramid instead, see `PyramidEncoder`. Head: torchvision's
    FCNHead without its dropout (Long et al., CVPR 2015) with `head_width` hidden channels, by default a quarter of the
    features (all of a pyramid's), resized to the image. `task_norm` gives every task encoder norms of its own.

    Raises `BenchError` for options that `ResNetEncoder` refuses, and where an image leaves a map of a single pixel.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        depth: Literal[18, 50] = 18,
        width: int = 64,
        output_stride: Literal[8, 16, 32] = 8,
        stem: Stem = "imagenet",
        pyramid: int | None = None,
        head_width: int | None = None,
        task_norm: bool = False,
    ) -> None:
        backbone = ResNetEncoder(input_shape[0], depth, width, output_stride, stem)
        check_size("DenseResNet", input_shape, output_stride + 1)
        if head_width is not None and head_width < 1:
            raise BenchError(f"`model.head_width` cannot be {head_width}: give hidden channels, or null for a quarter.")
        if pyramid is not None and pyramid < 1:
            raise BenchError(f"`model.pyramid` cannot be {pyramid}: give channels of the finest map, or null for none.")
        encoder = backbone if pyramid is None else PyramidEncoder(backbone, pyramid)
        features, (height, columns) = encoder.features, input_shape[1:]
        hidden = head_width or (features // 4 if pyramid is None else features)
        heads = build_heads(outputs, lambda n: dense_head(features, hidden, n, (height, columns)))
        super().__init__(encoder, heads, task_norm)
        # no subclass, which may do anything; the largest tensor is the shared one; no last bit differs at such widths
        plain = type(self) is DenseResNet and not task_norm and stem == "imagenet"
        self.sweeps_together = plain and pyramid is not None and pyramid >= width and width % 8 == pyramid % 8 == 0
