"""MTI-Net: scales, who feeds whom, and what only trains."""

from typing import Any

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import MTINet, initialise

TASKS = {"segmentation": 13, "depth": 1, "normal": 3}


@pytest.mark.parametrize("size", [(64, 96), (33, 71)])
@pytest.mark.parametrize(
    ("options", "widths"),
    [
        ({"backbone": "resnet18", "width": 4}, [4, 8, 16, 32]),
        ({"backbone": "hrnet_w18_small"}, [16, 32, 64, 128]),
        ({"backbone": "hrnet_w18"}, [18, 36, 72, 144]),
    ],
)
def test_four_scales_of_every_task_and_five_outputs(
    size: tuple[int, int], options: dict[str, Any], widths: Any
) -> None:
    model = MTINet(TASKS, (3, *size), **options).eval()
    features = model.encode(torch.randn(1, 3, *size))
    whole = [-(-side // 32) * 32 for side in size]
    shapes = [(1, n, whole[0] // stride, whole[1] // stride) for n, stride in zip(widths, (4, 8, 16, 32), strict=True)]
    assert [tuple(one.shape) for one in features] == [shape for shape in shapes for _ in TASKS]
    for k, n in enumerate(TASKS.values()):
        assert [output.shape for output in model.decode(features, k)] == [(1, n, *size)] * 5


def test_prediction_reads_all_tasks_and_auxiliary_ones_their_own_scale() -> None:
    model = MTINet(TASKS, (3, 32, 64), "resnet18", width=4)
    initialise(model, 0)
    features = [one.detach().requires_grad_() for one in model.encode(torch.randn(2, 3, 32, 64))]
    prediction, *initial = model.decode(features, 1)
    read = [
        torch.autograd.grad(o.sum(), features, allow_unused=True, retain_graph=True) for o in (prediction, *initial)
    ]
    assert all(gradient is not None for gradient in read[0])
    assert [[i for i, gradient in enumerate(one) if gradient is not None] for one in read[1:]] == [[1], [4], [7], [10]]


def test_a_finer_scale_is_told_by_every_task() -> None:
    model = MTINet(TASKS, (3, 32, 64), "resnet18", width=4)
    features = model.encode(torch.randn(2, 3, 32, 64))
    coarse = [model.get_parameter(f"encoder.initial.3.{task}.0.conv1.weight") for task in TASKS]
    assert all(gradient.abs().sum() > 0 for gradient in torch.autograd.grad(features[0].square().sum(), coarse))


def test_one_task_alone_works() -> None:
    model = MTINet({"depth": 1}, (3, 33, 64), "resnet18", width=4)
    assert len(model.decode(model.encode(torch.randn(2, 3, 33, 64)), 0)) == 5


def test_another_backbone_is_refused() -> None:
    with pytest.raises(BenchError, match="resnet18 or hrnet_w18"):
        MTINet(TASKS, (3, 32, 32), "vgg16")
