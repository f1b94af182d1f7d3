"""ResNet-18 with linear heads."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.heads import build_heads
from mtl_bench.vision import torchvision

STEMS = ("imagenet", "cifar")


class ResNet18(MultiTaskModel):
    """torchvision's resnet18 up to the global pooling, and one linear head per task (He et al., CVPR 2016).

    The shared representation is `[batch, 512]`. `stem="imagenet"` is the paper's 7×7 convolution of stride 2 and
    max-pool (§3.3), `"cifar"` a 3×3 convolution of stride 1 without pooling (§4.2), for images below about 64 pixels;
    either takes the channels of `input_shape`. Starts untrained: convolutions Kaiming normal with fan-out, heads as
    torch draws linear layers.

    Raises `BenchError` for another stem, and where torchvision cannot be loaded.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        stem: Literal["imagenet", "cifar"] = "imagenet",
    ) -> None:
        super().__init__()
        if stem not in STEMS:
            raise BenchError(f"ResNet18 has no stem {stem!r}: set `model.stem` to one of {', '.join(STEMS)}.")
        self.encoder: nn.Module = torchvision().models.resnet18(weights=None)
        features: int = self.encoder.fc.in_features
        _adapt(self.encoder, input_shape[0], cifar=stem == "cifar")
        self.heads = build_heads(outputs, lambda n: nn.Linear(features, n))

    def encode(
        self, image: Float[Tensor, "batch channels height width"], task: int | None = None
    ) -> list[Float[Tensor, "batch 512"]]:
        return [self.encoder(image)]

    def reset_module(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        else:
            super().reset_module(module)


def _adapt(encoder: nn.Module, channels: int, cifar: bool) -> None:
    """Exchange stem and classifier in place."""
    if cifar:
        encoder.conv1 = nn.Conv2d(channels, 64, kernel_size=3, padding=1, bias=False)
        encoder.maxpool = nn.Identity()
    else:
        encoder.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    encoder.fc = nn.Identity()
    for module in encoder.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # in place, it would overwrite the norm's output, where engines read its cotangent
