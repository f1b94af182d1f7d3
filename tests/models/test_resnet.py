"""ResNet-18: stems, channels and initial weights."""

from math import sqrt
from typing import Any

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import ResNet18, initialise


@pytest.mark.parametrize(("stem", "side"), [("imagenet", 8), ("cifar", 32)])
def test_stem_decides_the_resolution(stem: Any, side: int) -> None:
    model = ResNet18({"left": 10}, (2, 32, 32), stem=stem)
    sizes: list[torch.Size] = []
    model.get_submodule("encoder.layer1").register_forward_hook(lambda *call: sizes.append(call[2].shape))
    (feature,) = model.encode(torch.zeros(2, 2, 32, 32))
    assert sizes == [(2, 64, side, side)]
    assert feature.shape == (2, 512)


def test_parameters_are_resnet18_without_its_classifier() -> None:
    model = ResNet18({"left": 10}, (3, 64, 64))
    assert sum(value.numel() for value in model.shared_parameters().values()) == 11_689_512 - 513 * 1000
    assert model.last_shared is model.get_parameter("encoder.layer4.1.conv2.weight")


def test_one_more_layer_is_that_of_recons_release() -> None:
    """Its `MnistResNet_recon`: ResNet-18 of one channel with 100 outputs, ReLU, a linear head per task."""
    model = ResNet18({"left": 10, "right": 10}, (1, 36, 36), embedding=100)
    shared = sum(value.numel() for value in model.shared_parameters().values())
    assert shared == 11_689_512 - 513 * 1000 - 2 * 64 * 49 + 513 * 100
    (feature,) = model.eval().encode(torch.randn(2, 1, 36, 36))
    assert feature.shape == (2, 100)
    assert (feature >= 0).all()
    assert model.last_shared is model.get_parameter("encoder.fc.weight")


def test_initialise_keeps_kaiming_fan_out() -> None:
    model = ResNet18({"left": 10}, (1, 32, 32))
    initialise(model, 0)
    deviation = model.get_parameter("encoder.layer4.1.conv2.weight").std().item()
    assert deviation == pytest.approx(sqrt(2 / (512 * 9)), rel=0.01)
    assert (model.get_parameter("encoder.layer4.1.bn2.weight") == 1).all()


def test_unknown_stem_is_refused() -> None:
    stem: Any = "vgg"
    with pytest.raises(BenchError, match="imagenet or cifar"):
        ResNet18({"left": 10}, (3, 32, 32), stem=stem)
