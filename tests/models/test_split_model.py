"""Layers once per task: what is copied, whose it is, and that nothing else changes."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from mtl_bench.errors import BenchError
from mtl_bench.models import DenseResNet, LeNet, MultiTaskModel, NineLayerCNN, ResNet18, SegNet, SegNetMTAN, initialise
from mtl_bench.models.split_model import split_layers, splittable_layers
from tests.models.conftest import INPUT
from tests.models.test_model_contract import OUTPUTS, outputs_of
from tests.resume.models import NormDropout

CONVOLUTIONAL: list[tuple[type[MultiTaskModel], dict[str, Any], int]] = [  # and how many layers it shares
    (LeNet, {}, 3),
    (ResNet18, {}, 40),  # 20 convolutions and as many norms
    (ResNet18, {"embedding": 100}, 41),
    (DenseResNet, {"width": 4, "pyramid": 4}, 52),
    (SegNet, {"width": 4}, 52),
    (SegNetMTAN, {"width": 4}, 72),
]
each = pytest.mark.parametrize(("kind", "options", "layers"), CONVOLUTIONAL, ids=lambda value: str(value))


def both(kind: type[MultiTaskModel], options: dict[str, Any], every: int = 3) -> tuple[Any, Any, list[str]]:
    """The plain model, that with every third layer split, and which these are; from one seed."""
    plain: MultiTaskModel = kind(OUTPUTS, INPUT, **options)
    names = splittable_layers(plain)[1::every]
    split = split_layers(OUTPUTS, INPUT, partial(kind, **options), names)
    for model in (plain, split):
        initialise(model, 3)
    return plain, split, names


@each
def test_starts_with_the_predictions_of_the_plain_model(
    kind: type[MultiTaskModel], options: dict[str, Any], layers: int
) -> None:
    plain, split, _ = both(kind, options)
    image = torch.randn(4, *INPUT, generator=torch.Generator().manual_seed(0))
    for train in (False, True):  # in this order: training moves statistics
        for k in range(len(OUTPUTS)):
            models = [model.train(train) for model in (plain, split)]
            expected, found = (outputs_of(model, model.encode(image, k), k) for model in models)
            assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))


@each
def test_parameters_are_those_of_the_plain_model_and_the_further_copies(
    kind: type[MultiTaskModel], options: dict[str, Any], layers: int
) -> None:
    plain, split, names = both(kind, options)
    assert len(splittable_layers(plain)) == layers
    copied = sum(p.numel() for name in names for p in plain.get_submodule(name).parameters())
    counts = [sum(p.numel() for p in model.parameters()) for model in (plain, split)]
    assert counts[1] == counts[0] + (len(OUTPUTS) - 1) * copied


def test_a_lenet_by_hand() -> None:
    """10 filters of 5×5 and their biases, 20 of 10×5×5, 50 units on 20 maps of 5×7; heads as they are."""
    split = split_layers({"a": 10, "b": 10}, INPUT, LeNet, ["encoder.0", "encoder.7"])
    head = 50 * 50 + 50 + 50 * 10 + 10
    assert sum(p.numel() for p in split.parameters()) == 2 * (260 + 35050) + 5020 + 2 * head
    assert sorted(split.shared_parameters()) == ["encoder.3.bias", "encoder.3.weight"]


def test_a_gradient_reaches_no_copy_of_another_task() -> None:
    _, split, names = both(ResNet18, {})
    image = torch.randn(4, *INPUT)
    for k, task in enumerate(OUTPUTS):
        split.zero_grad()
        split.decode(split.encode(image, k), k).square().sum().backward()
        reached = {name for name, p in split.named_parameters() if p.grad is not None and p.grad.any()}
        for name in names:
            assert f"{name}.{task}.weight" in reached
            assert not any(f"{name}.{other}.weight" in reached for other in OUTPUTS if other != task)


def test_norms_that_stay_shared_keep_statistics_per_task() -> None:
    """Behind a copy tasks have maps of their own, and are evaluated by theirs."""
    split = split_layers(OUTPUTS, INPUT, partial(LeNet, norm=True), ["encoder.0"])
    initialise(split, 0)
    with torch.no_grad():
        split.get_parameter("encoder.0.right.weight").mul_(7)
    image = torch.randn(16, *INPUT, generator=torch.Generator().manual_seed(0))
    for _ in range(60):
        for k in range(2):
            split.train().encode(image, k)
    for k in range(2):
        trained, evaluated = split.train().encode(image, k)[0], split.eval().encode(image, k)[0]
        torch.testing.assert_close(evaluated, trained, rtol=0.02, atol=0.02)


def test_loaded_weights_stay_in_every_copy_and_in_shared_norms() -> None:
    def loaded(outputs: dict[str, int], input_shape: tuple[int, int, int]) -> MultiTaskModel:
        model = ResNet18(outputs, input_shape)
        for value in (*model.encoder.parameters(), *model.encoder.buffers()):
            if value.is_floating_point():
                value.data.uniform_(0.5, 1, generator=torch.Generator().manual_seed(value.numel()))
        return model

    plain, split = (
        loaded(OUTPUTS, INPUT),
        split_layers(OUTPUTS, INPUT, loaded, ["encoder.conv1", "encoder.layer1.0.bn1"]),
    )
    image = torch.randn(2, *INPUT)
    for k in range(3):
        assert torch.equal(split.eval().encode(image, k)[0], plain.eval().encode(image, k)[0])


def test_nothing_to_split_is_the_plain_model() -> None:
    alone = split_layers({"left": 10}, INPUT, LeNet, ["encoder.0"])
    for model in (alone, split_layers(OUTPUTS, INPUT, LeNet, [])):
        assert not model.per_task_path
        assert "encoder.0.weight" in model.shared_parameters()


@pytest.mark.parametrize(
    ("kind", "split", "said"),
    [
        (LeNet, ["encoder.1"], "model.split names encoder.1, which is no shared layer of LeNet; did you mean encoder."),
        (LeNet, ["heads.left.0"], "no shared layer of LeNet"),
        (LeNet, ["?"], "its layers are encoder.0, encoder.3, encoder.7."),
        (partial(NormDropout, hidden=[4]), ["encoder.1"], "NormDropout cannot be split: its `encode` does not go by"),
        (NineLayerCNN, ["encoder.0"], "is a BatchNorm1d, whose running statistics would be those of one task"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_cannot_be_split_is_said_in_one_sentence(kind: Any, split: list[str], said: str) -> None:
    with pytest.raises(BenchError) as raised:
        split_layers(OUTPUTS, INPUT, kind, split)
    assert said in str(raised.value)


def test_what_a_transformer_holds_beside_layers_is_none() -> None:
    from mtl_bench.models import ViT

    model = ViT(OUTPUTS, INPUT)
    layers = splittable_layers(model)
    assert "encoder.vit" not in layers
    assert isinstance(model.get_submodule(layers[0]), nn.Conv2d)
