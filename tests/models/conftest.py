"""The models that every contract test runs on."""

from collections.abc import Callable

import pytest

from mtl_bench.models import MLP, LeNet, MultiTaskModel, ResNet18

INPUT = (1, 16, 16)
Build = Callable[[dict[str, int]], MultiTaskModel]

MODELS: dict[str, Build] = {
    "lenet": lambda outputs: LeNet(outputs, INPUT),
    "mlp": lambda outputs: MLP(outputs, INPUT, hidden=(32, 16)),
    "resnet18": lambda outputs: ResNet18(outputs, INPUT),
}


@pytest.fixture(params=MODELS)
def build(request: pytest.FixtureRequest) -> Build:
    return MODELS[request.param]
