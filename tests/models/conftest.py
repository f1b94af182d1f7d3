"""The models that every contract test runs on."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mtl_bench.models import (
    MLP,
    CrossStitch,
    DeepLabV3Plus,
    DenseResNet,
    LeNet,
    MTINet,
    MultiTaskModel,
    NineLayerCNN,
    ResNet18,
    SegNet,
    SegNetMTAN,
    ShallowResNet,
    ViT,
    Xception,
)
from mtl_bench.models.split_model import split_layers

INPUT = (1, 32, 41)
Build = Callable[[dict[str, int]], MultiTaskModel]

SMALL_XCEPTION: dict[str, Any] = {"widths": (4, 4, 6, 6, 8), "blocks": 2, "features": 6, "decoder": (6, 4, 4, 4)}
BY_TASK = ("mti-net", "cross-stitch", "split")  # whose shared part is another one with other tasks


def split(base: Callable[..., MultiTaskModel], *layers: str, **options: Any) -> Build:
    return lambda outputs: split_layers(outputs, INPUT, partial(base, **options), layers)


MODELS: dict[str, Build] = {
    "lenet": lambda outputs: LeNet(outputs, INPUT),
    "mlp": lambda outputs: MLP(outputs, INPUT, hidden=(32, 16)),
    "lenet, norms per task": lambda outputs: LeNet(outputs, INPUT, task_norm=True),
    "mlp, norms per task": lambda outputs: MLP(outputs, INPUT, hidden=(32, 16), task_norm=True),
    "resnet18": lambda outputs: ResNet18(outputs, INPUT),
    "resnet18, one more layer": lambda outputs: ResNet18(outputs, INPUT, embedding=6),
    "resnet18, norms per task": lambda outputs: ResNet18(outputs, INPUT, task_norm=True),
    "nine-layer cnn": lambda outputs: NineLayerCNN(outputs, INPUT, widths=(4, 4, 6, 6)),
    "shallow resnet": lambda outputs: ShallowResNet(outputs, INPUT, width=4),
    "shallow resnet, norms per task": lambda outputs: ShallowResNet(outputs, INPUT, width=4, task_norm=True),
    "dense resnet18": lambda outputs: DenseResNet(outputs, INPUT, width=4),
    "dense resnet18, norms per task": lambda outputs: DenseResNet(outputs, INPUT, width=4, task_norm=True),
    "dense resnet18, pyramid": lambda outputs: DenseResNet(outputs, INPUT, width=4, pyramid=6),
    "dense resnet50": lambda outputs: DenseResNet(outputs, INPUT, depth=50, width=2, output_stride=16),
    "segnet": lambda outputs: SegNet(outputs, INPUT, width=4),
    "segnet, norms per task": lambda outputs: SegNet(outputs, INPUT, width=4, task_norm=True),
    "mtan": lambda outputs: SegNetMTAN(outputs, INPUT, width=4),
    "mtan, norms per task": lambda outputs: SegNetMTAN(outputs, INPUT, width=4, task_norm=True),
    "deeplab": lambda outputs: DeepLabV3Plus(outputs, INPUT, width=2, head_width=4),
    "deeplab, norms per task": lambda outputs: DeepLabV3Plus(outputs, INPUT, 18, 2, 8, 4, task_norm=True),
    "vit": lambda outputs: ViT(outputs, INPUT),
    "mti-net": lambda outputs: MTINet(outputs, INPUT, "resnet18", width=4),
    "mti-net, norms per task": lambda outputs: MTINet(outputs, INPUT, "resnet18", width=4, task_norm=True),
    "mti-net, hrnet": lambda outputs: MTINet(outputs, INPUT, "hrnet_w18_small"),
    "xception": lambda outputs: Xception(outputs, INPUT, **SMALL_XCEPTION),
    "xception, norms per task": lambda outputs: Xception(outputs, INPUT, **SMALL_XCEPTION, task_norm=True),
    "cross-stitch": lambda outputs: CrossStitch(outputs, INPUT, width=4),
    "cross-stitch, norms per task": lambda outputs: CrossStitch(outputs, INPUT, width=4, task_norm=True),
    "split lenet": split(LeNet, "encoder.3"),
    "split resnet18": split(ResNet18, "encoder.layer1.0.conv1", "encoder.layer1.0.bn2", "encoder.layer4.1.bn2"),
    "split segnet": split(SegNet, "encoder.down.0.0", "encoder.up.1.4", width=4),
    "split mtan": split(SegNetMTAN, "encoder.trunk.down.0.0", "encoder.up.2.1.1", width=4),
    "split vit": split(ViT, "encoder.vit.blocks.3.norm1", "encoder.vit.blocks.5.mlp.fc1"),
}


@pytest.fixture(params=MODELS)
def build(request: pytest.FixtureRequest) -> Build:
    return MODELS[request.param]


@pytest.fixture(params=[name for name in MODELS if not name.startswith(BY_TASK)])
def build_alike(request: pytest.FixtureRequest) -> Build:
    """Whose shared part is the same whatever the tasks."""
    return MODELS[request.param]
