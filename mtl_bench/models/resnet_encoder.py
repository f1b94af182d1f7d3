"""Residual encoders of any width and output stride."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.max_pool import StemPool
from mtl_bench.models.pretrained import timm_model

LAYERS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
STEM_STRIDE = {"imagenet": 4, "cifar": 1}
Stem = Literal["imagenet", "cifar"]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside an identity (He et al., CVPR 2016, Fig. 5 left)."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int, before: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, planes, 3, stride, before)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv(planes, planes, 3, 1, dilation)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(inputs, planes, stride)

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch planes H W"]:
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolution beside an identity (Fig. 5 right); the stride is the 3×3's, as in torchvision."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int, before: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, planes, 1)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv(planes, planes, 3, stride, before)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = _conv(planes, 4 * planes, 1)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(inputs, 4 * planes, stride)

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs H W"]:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + self.downsample(x))


class ResNetEncoder(nn.Module):
    """ResNet-18 or ResNet-50 without pooling and classifier (He et al., CVPR 2016, Table 1).

    Modules, parameters and order are torchvision's, so its weights load; own code because neither torchvision nor timm
    offers widths, dilated basic blocks and sums that leave norm outputs alone together. `width` is the channels of stem
    and first stage. `stem="imagenet"` is a 7×7 convolution of stride 2 and max-pool (§3.3), `"cifar"` a 3×3 convolution
    of stride 1 (§4.2). From `output_stride` on, stages dilate instead of striding (Yu et al., CVPR 2017): each weight
    sees the neighbours it saw before, so features are those without it on a finer grid. None never dilates.

    Raises `BenchError` for another depth or stem, a width below 1, and an output stride that the stem cannot end at.
    """

    def __init__(
        self,
        channels: int,
        depth: int = 18,
        width: int = 64,
        output_stride: int | None = None,
        stem: str = "imagenet",
    ) -> None:
        super().__init__()
        _check(depth, width, output_stride, stem)
        block = BasicBlock if depth == 18 else Bottleneck
        cifar = stem == "cifar"
        self.conv1 = _conv(channels, width, 3) if cifar else _conv(channels, width, 7, 2)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity() if cifar else StemPool()
        inputs, reached, dilation = width, STEM_STRIDE[stem], 1
        self.widths = [width]
        for stage, blocks in enumerate(LAYERS[depth]):
            planes, before = width * 2**stage, dilation
            stride = 2 if stage and (output_stride is None or reached < output_stride) else 1
            if stage and stride == 1:
                dilation *= 2
            reached *= stride
            first = block(inputs, planes, stride, before, dilation)
            inputs = planes * block.expansion
            others = [block(inputs, planes, 1, dilation, dilation) for _ in range(blocks - 1)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(first, *others))
            self.widths.append(inputs)
        self.features = inputs

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features h w"]:
        return self.stages(x)[-1]

    def stages(self, x: Float[Tensor, "batch channels height width"]) -> list[Float[Tensor, "batch width h w"]]:
        """The stem's map before pooling and the four stages', of `widths` channels."""
        found = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(found[0])
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
            found.append(x)
        return found


def load_timm_weights(encoder: ResNetEncoder, channels: int, depth: int) -> None:
    """ImageNet weights of timm's ResNet. Raises `BenchError` for another width, and where they are not to be had."""
    if encoder.widths[0] != 64:
        raise BenchError("Pretrained ResNets are 64 channels wide: set model.width=64, or model.pretrained=false.")
    source = timm_model(f"resnet{depth}", True, in_chans=channels, num_classes=0)
    encoder.load_state_dict(source.state_dict())


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


def _check(depth: int, width: int, output_stride: int | None, stem: str) -> None:
    if depth not in LAYERS:
        raise BenchError(f"There is no ResNet of depth {depth} here: set `model.depth` to 18 or 50.")
    if stem not in STEM_STRIDE:
        raise BenchError(f"A ResNet has no stem {stem!r} here: set `model.stem` to {' or '.join(STEM_STRIDE)}.")
    if width < 1:
        raise BenchError(f"`model.width` is the channels of the first stage and cannot be {width}: 64 is the paper's.")
    usable = [stride for stride in (8, 16, 32) if stride <= STEM_STRIDE[stem] * 8]
    if output_stride not in (None, *usable):
        raise BenchError(
            f"With stem {stem} a ResNet has no output stride {output_stride}: set `model.output_stride` to "
            f"{' or '.join(map(str, usable))}."
        )
