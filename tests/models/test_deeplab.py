"""DeepLabV3+: sizes, and parameters against torchvision's."""

from typing import Any

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import DeepLabV3Plus
from mtl_bench.vision import torchvision

TASKS = {"segmentation": 13, "depth": 1, "normal": 3}


def count(model: torch.nn.Module) -> int:
    return sum(value.numel() for value in model.parameters())


def test_without_the_low_level_it_has_the_parameters_of_torchvisions_deeplabv3() -> None:
    with torch.device("meta"):
        ours = DeepLabV3Plus({"segmentation": 21}, (3, 64, 64), output_stride=8, low_level=None)
        theirs = torchvision().models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None)
    assert count(ours) == count(theirs)


def test_parameters_at_three_tasks() -> None:
    with torch.device("meta"):
        model = DeepLabV3Plus(TASKS, (3, 288, 384))
    encoder, pyramid = 23_508_032, 2048 * 256 * 2 + 3 * 9 * 2048 * 256 + 5 * 256 * 256 + 6 * 512
    decoder = 256 * 48 + 96 + 9 * 256 * (304 + 256) + 2 * 512
    assert count(model) == encoder + 3 * (pyramid + decoder) + 257 * 17


@pytest.mark.parametrize("size", [(48, 64), (33, 71)])
@pytest.mark.parametrize("options", [{"output_stride": 8}, {"output_stride": 16}, {"low_level": None}])
def test_outputs_have_the_size_of_the_image(size: tuple[int, int], options: dict[str, Any]) -> None:
    model = DeepLabV3Plus(TASKS, (3, *size), width=2, head_width=4, **options)
    features = model.encode(torch.randn(2, 3, *size))
    stride = options.get("output_stride", 16)
    assert [feature.shape[2:] for feature in features][-1] == tuple(-(-side // stride) for side in size)
    assert [model.decode(features, k).shape for k in range(3)] == [(2, n, *size) for n in TASKS.values()]


def test_the_paper_rates_double_at_stride_8() -> None:
    for stride, rates in ((16, [1, 6, 12, 18]), (8, [1, 12, 24, 36])):
        model = DeepLabV3Plus(TASKS, (3, 33, 33), width=2, head_width=4, output_stride=stride)  # type: ignore[arg-type]
        branches = model.get_submodule("heads.depth.pyramid.branches")
        assert [branch.get_submodule("0").dilation[0] for branch in branches] == rates  # type: ignore[attr-defined, index]


@pytest.mark.parametrize(
    "options", [{"head_width": 0}, {"low_level": 0}, {"depth": 34}, {"pretrained": True, "width": 2}]
)
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BenchError, match=r"set|give"):
        DeepLabV3Plus(TASKS, (3, 33, 33), **options)


def test_a_last_map_of_one_position_is_refused() -> None:
    with pytest.raises(BenchError, match="DeepLabV3Plus needs images of at least 17×17"):
        DeepLabV3Plus(TASKS, (3, 16, 33))
