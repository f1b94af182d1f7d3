"""SegNet: the released layers, and pooling indices that bring every maximum back to its place."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, max_unpool2d

from mtl_bench.errors import BenchError
from mtl_bench.models import SegNet, initialise
from mtl_bench.models.segnet import unpool

RELEASED = 24_981_069  # printed by MTAN's release for segmentation alone


def test_parameters_are_the_released_ones_without_biases_before_norms() -> None:
    model = SegNet({"segmentation": 13}, (3, 288, 384))
    biases = sum(part.out_channels for part in model.encoder.modules() if isinstance(part, nn.Conv2d))
    assert sum(value.numel() for value in model.parameters()) == RELEASED - biases


@pytest.mark.parametrize("size", [(48, 64), (33, 71), (32, 32), (288, 384)])
def test_outputs_and_features_have_the_size_of_the_image(size: tuple[int, int]) -> None:
    model = SegNet({"segmentation": 13, "depth": 1}, (3, *size), width=2).eval()
    features = model.encode(torch.randn(1, 3, *size))
    assert features[0].shape == (1, 2, *size)
    assert model.decode(features, 0).shape == (1, 13, *size)


@pytest.mark.parametrize("size", [(8, 6), (7, 5)])
def test_unpooling_puts_each_maximum_back(size: tuple[int, int]) -> None:
    full = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    pooled, indices = max_pool2d(full, 2, return_indices=True)
    back = unpool(pooled, indices, full.shape)
    assert torch.equal(back, max_unpool2d(pooled, indices, 2, output_size=full.shape))
    kept = back != 0
    assert kept.sum() == pooled.numel()
    assert torch.equal(back[kept], full[kept])
    (gradient,) = torch.autograd.grad(back.sum(), full)
    assert torch.equal(gradient, kept.to(gradient))


def test_each_unpooling_takes_the_indices_of_its_own_resolution() -> None:
    """With stages that pass values on, what comes out is the maximum of the whole image, where it stood."""
    trunk = SegNet({"depth": 1}, (1, 32, 64), width=1).encoder
    trunk.down, trunk.up = (nn.ModuleList([nn.Identity()] * 5) for _ in range(2))
    image = torch.randn(1, 1, 32, 64).abs()
    expected = torch.zeros_like(image)
    for half in (slice(0, 32), slice(32, 64)):
        part = image[..., half]
        expected[..., half] = torch.where(part == part.max(), part, 0.0)
    assert torch.equal(trunk(image), expected)


def test_weights_start_as_released() -> None:
    model = SegNet({"depth": 1}, (3, 32, 32))
    initialise(model, 0)
    weight: Tensor = model.get_parameter("encoder.down.4.3.weight")
    assert weight.std().item() == pytest.approx((2 / (2 * 512 * 9)) ** 0.5, rel=0.01)
    assert model.get_parameter("heads.depth.1.bias").item() == 0


def test_last_shared_ends_the_decoder() -> None:
    model = SegNet({"depth": 1}, (3, 32, 32), width=2, task_norm=True)
    assert model.last_shared is model.get_parameter("encoder.up.4.3.weight")


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(BenchError, match="at least 32×32 pixels here and one side has 31"):
        SegNet({"depth": 1}, (3, 64, 31))


def test_no_width_is_refused() -> None:
    with pytest.raises(BenchError, match="cannot be 0"):
        SegNet({"depth": 1}, (3, 32, 32), width=0)
