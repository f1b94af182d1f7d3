"""The backbone with heads that read all of its scales."""

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import MTINet, MultiScaleNet, initialise

TASKS = {"segmentation": 13, "depth": 1}


@pytest.mark.parametrize("size", [(64, 96), (33, 71)])
@pytest.mark.parametrize(
    ("options", "widths"),
    [({"backbone": "resnet18", "width": 4}, [4, 8, 16, 32]), ({"backbone": "hrnet_w18_small_v2"}, [18, 36, 72, 144])],
)
def test_four_scales_and_one_output(size: tuple[int, int], options: dict, widths: list[int]) -> None:
    model = MultiScaleNet(TASKS, (3, *size), **options).eval()
    features = model.encode(torch.randn(1, 3, *size))
    whole = [-(-side // 32) * 32 for side in size]
    strides = zip(widths, (4, 8, 16, 32), strict=True)
    assert [tuple(one.shape) for one in features] == [(1, n, *(side // by for side in whole)) for n, by in strides]
    for k, n in enumerate(TASKS.values()):
        assert model.decode(features, k).shape == (1, n, *size)  # type: ignore[union-attr]


def test_every_scale_is_read() -> None:
    model = MultiScaleNet(TASKS, (3, 32, 64), "resnet18", width=4)
    initialise(model, 0)
    features = [one.detach().requires_grad_() for one in model.encode(torch.randn(2, 3, 32, 64))]
    model.decode(features, 0).sum().backward()  # type: ignore[union-attr]
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in features)


def test_single_task_and_multi_task_models_share_their_backbone() -> None:
    """What single_model of the MTI-Net protocols names: the same weights, whatever stands on them."""
    single, joint = (kind(TASKS, (3, 32, 64), "resnet18", width=4) for kind in (MultiScaleNet, MTINet))
    for model in (single, joint):
        initialise(model, 5)
    name = "encoder.backbone.layer2.0.conv1.weight"
    assert torch.equal(single.get_parameter(name), joint.get_parameter(name))


def test_another_backbone_is_refused() -> None:
    with pytest.raises(BenchError, match="There is no backbone 'vgg16' here"):
        MultiScaleNet(TASKS, (3, 32, 64), "vgg16")
