"""The encoder against torchvision's, and dilation against striding."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.resnet_encoder import ResNetEncoder
from mtl_bench.vision import torchvision


def torchvision_features(network: Any, image: Tensor) -> Tensor:
    for name, part in network.named_children():
        if name == "avgpool":
            break
        image = part(image)
    return image


def lively(encoder: nn.Module) -> nn.Module:
    """In evaluation mode, with norms that do something."""
    generator = torch.Generator().manual_seed(0)
    for norm in encoder.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for values in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
                values.copy_(torch.rand(values.shape, generator=generator) + 0.5)
    return encoder.eval()


@pytest.mark.parametrize(("depth", "stride"), [(18, 32), (50, 32), (50, 16), (50, 8)])
def test_with_its_weights_features_are_torchvisions(depth: int, stride: int) -> None:
    dilate = [False, stride < 16, stride < 32] if depth == 50 else None
    other = getattr(torchvision().models, f"resnet{depth}")(weights=None, replace_stride_with_dilation=dilate)
    encoder = ResNetEncoder(3, depth, output_stride=stride)
    state = {name: value for name, value in other.state_dict().items() if not name.startswith("fc.")}
    encoder.load_state_dict(state)
    assert list(encoder.state_dict()) == list(state)
    image = torch.randn(2, 3, 65, 96)
    features = encoder(image)
    assert features.shape[1] == encoder.features
    torch.testing.assert_close(features, torchvision_features(other, image))


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("stride", [8, 16])
@pytest.mark.parametrize("size", [(48, 64), (33, 71)])
def test_dilation_gives_the_strided_features_on_a_finer_grid(depth: int, stride: int, size: tuple[int, int]) -> None:
    strided = lively(ResNetEncoder(3, depth, width=4).double())
    dilated = lively(ResNetEncoder(3, depth, width=4, output_stride=stride).double())
    dilated.load_state_dict(strided.state_dict())
    image = torch.randn(2, 3, *size, dtype=torch.float64)
    finer, step = dilated(image), 32 // stride
    assert finer.shape[2:] == tuple(-(-side // stride) for side in size)
    torch.testing.assert_close(finer[..., ::step, ::step], strided(image))


def test_width_scales_every_convolution() -> None:
    wide, narrow = ResNetEncoder(3, 50, width=64), ResNetEncoder(3, 50, width=16)
    for one, other in zip(wide.parameters(), narrow.parameters(), strict=True):
        assert one.shape[0] == 4 * other.shape[0]


def test_cifar_stem_ends_at_stride_8_undilated() -> None:
    encoder = ResNetEncoder(3, width=4, output_stride=8, stem="cifar")
    assert encoder(torch.randn(2, 3, 32, 40)).shape[2:] == (4, 5)
    assert {part.dilation for part in encoder.modules() if isinstance(part, nn.Conv2d)} == {(1, 1)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"depth": 34}, "18 or 50"),
        ({"stem": "vgg"}, "imagenet or cifar"),
        ({"width": 0}, "cannot be 0"),
        ({"output_stride": 4}, "8 or 16 or 32"),
        ({"output_stride": 16, "stem": "cifar"}, "to 8"),
    ],
)
def test_an_unknown_option_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BenchError, match=words):
        ResNetEncoder(3, **options)
