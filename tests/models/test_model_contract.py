"""What every model promises the step and the engines, checked by autograd."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.models import MLP, CrossStitch, MTINet, MultiTaskModel
from mtl_bench.step.contract import check_last_shared
from mtl_bench.step.forward import Forwarded

OUTPUTS = {"left": 10, "right": 7, "left2": 3}  # one name is the beginning of another
Build = Callable[[dict[str, int]], MultiTaskModel]


@pytest.fixture
def model(build: Build) -> MultiTaskModel:
    torch.manual_seed(0)
    return build(OUTPUTS)


@pytest.fixture
def image() -> Tensor:
    return torch.randn(4, 1, 32, 41, generator=torch.Generator().manual_seed(0))


def encoded(model: MultiTaskModel, image: Tensor) -> list[list[Tensor]]:
    """The shared tensors that each task's head reads: of one forward, or of one per task."""
    if model.per_task_path:
        return [model.encode(image, k) for k in range(len(model.tasks))]
    return [model.encode(image)] * len(model.tasks)


def outputs_of(model: MultiTaskModel, features: list[Tensor], task: int) -> list[Tensor]:
    """The prediction, and what only trains."""
    found = model.decode(features, task)
    return [found] if isinstance(found, Tensor) else list(found)


def total(model: MultiTaskModel, features: list[Tensor], task: int) -> Tensor:
    return torch.stack([output.square().sum() for output in outputs_of(model, features, task)]).sum()


def channels_last(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear | nn.LayerNorm)


def reached(loss: Tensor, parameters: dict[str, nn.Parameter]) -> set[str]:
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return {name for name, gradient in zip(parameters, gradients, strict=True) if gradient is not None}


def test_shared_parameters_are_what_two_losses_reach(model: MultiTaskModel, image: Tensor) -> None:
    everything = dict(model.named_parameters())
    paths = [reached(total(model, model.encode(image, k), k), everything) for k in range(len(OUTPUTS))]
    shared = {name for name in everything if sum(name in path for path in paths) > 1}
    assert set(model.shared_parameters()) == shared
    for k, path in enumerate(paths):
        assert set(model.task_parameters(k)) == path - shared != set()


def test_shared_and_task_parameters_partition_the_model(model: MultiTaskModel) -> None:
    parts = [model.shared_parameters(), *(model.task_parameters(k) for k in range(len(OUTPUTS)))]
    assert sum(len(part) for part in parts) == len(list(model.parameters()))
    assert {name: value for part in parts for name, value in part.items()} == dict(model.named_parameters())


def test_shared_parameters_are_used_in_encode_only(model: MultiTaskModel, image: Tensor) -> None:
    for k, features in enumerate(encoded(model, image)):
        taps = [feature.detach().requires_grad_() for feature in features]
        assert not reached(total(model, taps, k), model.shared_parameters())


def test_outputs_follow_the_tasks(model: MultiTaskModel, image: Tensor) -> None:
    assert model.tasks == tuple(OUTPUTS)
    shapes = [{tuple(o.shape) for o in outputs_of(model, f, k)} for k, f in enumerate(encoded(model, image))]
    assert [{shape[:2] for shape in found} for found in shapes] == [{(4, 10)}, {(4, 7)}, {(4, 3)}]
    assert {shape[2:] for found in shapes for shape in found} <= {(), tuple(image.shape[2:])}


def test_cotangents_can_be_read_at_layer_outputs(model: MultiTaskModel, image: Tensor) -> None:
    """A bias adds to a layer's output, so its gradient is the cotangent there, summed over paths, batch and pixels."""
    model.double().eval()  # a bias before a norm in training mode would have the gradient 0
    seen: dict[nn.Module, list[Tensor]] = {}
    layers = [layer for layer in model.modules() if isinstance(getattr(layer, "bias", None), nn.Parameter)]
    for layer in layers:
        layer.register_forward_hook(lambda layer, _, output: seen.setdefault(layer, []).append(output))
    loss = torch.stack([total(model, features, k) for k, features in enumerate(encoded(model, image.double()))]).sum()
    found = torch.autograd.grad(loss, [output for layer in layers for output in seen[layer]], retain_graph=True)
    biases = torch.autograd.grad(loss, [layer.get_parameter("bias") for layer in layers])
    arrived = iter(found)
    for layer, bias in zip(layers, biases, strict=True):
        cotangents = [next(arrived) for _ in seen[layer]]
        axis = -1 if channels_last(layer) else 1
        torch.testing.assert_close(sum(c.movedim(axis, 0).flatten(1).sum(1) for c in cotangents), bias)


def test_nothing_overwrites_the_output_of_a_layer(model: MultiTaskModel, image: Tensor) -> None:
    seen: list[tuple[Tensor, int]] = []
    for layer in model.modules():
        if next(layer.parameters(recurse=False), None) is not None:
            layer.register_forward_hook(lambda layer, _, output: seen.append((output, output._version)))
    for k, features in enumerate(encoded(model, image)):
        outputs_of(model, features, k)
    assert seen
    assert all(output._version == version for output, version in seen)


def test_state_dict_carries_the_whole_model(build: Build, model: MultiTaskModel, image: Tensor) -> None:
    encoded(model, image)  # moves running statistics
    other = build(OUTPUTS)
    other.load_state_dict(model.state_dict())
    pairs = zip(encoded(model.eval(), image), encoded(other.eval(), image), strict=True)
    assert all(torch.equal(one, two) for features, others in pairs for one, two in zip(features, others, strict=True))


def test_last_shared_is_one_of_the_shared_weights(model: MultiTaskModel) -> None:
    """One that every loss reaches at the end of the encoder, or none: then methods that balance there refuse."""
    apart = isinstance(model, CrossStitch | MTINet)
    assert (model.last_shared is None) == apart
    assert apart or any(model.last_shared is value for value in model.shared_parameters().values())


def test_no_layer_follows_the_last_shared_one(model: MultiTaskModel, image: Tensor) -> None:
    if model.per_task_path or model.last_shared is None:
        return  # no method balances there
    features = model.encode(image)
    taps = [feature.view_as(feature) for feature in features]
    terms = {k: total(model, taps, k) for k in range(len(OUTPUTS))}
    found = Forwarded(terms, dict.fromkeys(terms, features), dict.fromkeys(terms, taps))
    check_last_shared(found, model.last_shared, model.shared_parameters())


def test_one_task_keeps_the_encoder_apart_from_the_head(build_alike: Build) -> None:
    build = build_alike
    alone, together = build({"left": 10}), build(OUTPUTS)
    assert list(alone.shared_parameters()) == list(together.shared_parameters())
    assert list(alone.task_parameters(0)) == list(together.task_parameters(0))


def test_a_model_that_shares_nothing_has_no_last_shared() -> None:
    model = MLP({"left": 2}, (1, 4, 4))
    model.encoder = nn.Sequential(nn.Flatten())
    assert model.last_shared is None
