"""Dense ResNets: sizes, head widths and what they refuse."""

from typing import Any

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import DenseResNet, initialise

TASKS = {"segmentation": 13, "depth": 1, "normal": 3}


@pytest.mark.parametrize("size", [(48, 64), (96, 128), (288, 384), (47, 65), (9, 33)])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_outputs_have_the_size_of_the_image(size: tuple[int, int], stride: Any) -> None:
    if min(size) <= stride:
        with pytest.raises(BenchError, match=f"at least {stride + 1}×{stride + 1} pixels here and one side has 9"):
            DenseResNet(TASKS, (3, *size), width=2, output_stride=stride)
        return
    model = DenseResNet(TASKS, (3, *size), width=2, output_stride=stride)
    features = model.encode(torch.randn(1, 3, *size))
    assert features[0].shape == (1, 16, *(-(-side // stride) for side in size))
    outputs = [model.decode(features, k) for k in range(3)]
    assert [tuple(output.shape) for output in outputs] == [(1, n, *size) for n in TASKS.values()]


def test_a_head_has_a_quarter_of_the_features_unless_told() -> None:
    shape = (3, 48, 64)
    assert DenseResNet(TASKS, shape, width=16).get_parameter("heads.depth.0.weight").shape == (32, 128, 3, 3)
    told = DenseResNet(TASKS, shape, width=16, depth=50, head_width=24)
    assert told.get_parameter("heads.depth.0.weight").shape == (24, 512, 3, 3)


@pytest.mark.parametrize("size", [(48, 64), (47, 65), (17, 33)])
def test_a_pyramid_is_as_fine_as_the_stem(size: tuple[int, int]) -> None:
    model = DenseResNet(TASKS, (3, *size), width=2, pyramid=5)
    (features,) = model.encode(torch.randn(2, 3, *size))
    assert features.shape == (2, 5, *(-(-side // 2) for side in size))
    assert model.decode([features], 2).shape == (2, 3, *size)
    assert model.get_parameter("heads.depth.0.weight").shape == (5, 5, 3, 3)


def test_a_pyramid_reads_every_stage() -> None:
    model = DenseResNet(TASKS, (3, 48, 64), width=2, pyramid=5)
    model.encode(torch.randn(2, 3, 48, 64))[0].square().sum().backward()
    laterals = [model.get_parameter(f"encoder.laterals.{stage}.0.weight") for stage in range(5)]
    assert [weight.shape[1] for weight in laterals] == [2, 2, 4, 8, 16]
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in laterals)


def test_one_output_channel_starts_small() -> None:
    model = DenseResNet(TASKS, (3, 48, 64), width=16, pyramid=16)
    initialise(model, 0)
    assert model.decode(model.encode(torch.randn(4, 3, 48, 64)), 1).std() < 1


def test_no_pyramid_is_refused() -> None:
    with pytest.raises(BenchError, match="pyramid"):
        DenseResNet(TASKS, (3, 48, 64), width=2, pyramid=0)


def test_no_head_width_is_refused() -> None:
    with pytest.raises(BenchError, match="head_width"):
        DenseResNet(TASKS, (3, 48, 64), width=2, head_width=0)


def test_last_shared_is_the_last_convolution() -> None:
    for task_norm in (False, True):
        deep = DenseResNet(TASKS, (3, 48, 64), depth=50, width=2, task_norm=task_norm)
        assert deep.last_shared is deep.get_parameter("encoder.layer4.2.conv3.weight")
