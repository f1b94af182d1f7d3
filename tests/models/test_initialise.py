"""Same seed, same start: whatever else the model holds and whatever was drawn before."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models import MLP, MultiTaskModel, initialise

Build = Callable[[dict[str, int]], MultiTaskModel]


def started(build: Build, outputs: dict[str, int], seed: int = 3) -> dict[str, Tensor]:
    model = build(outputs)
    initialise(model, seed)
    return {name: value.detach() for name, value in model.named_parameters()}


def test_a_module_starts_the_same_whatever_the_other_tasks(build_alike: Build) -> None:
    alone = started(build_alike, {"left": 10})
    both = started(build_alike, {"left": 10, "right": 10})
    turned = started(build_alike, {"right": 10, "left": 10})
    assert set(alone) < set(both) == set(turned)
    assert all(torch.equal(alone[name], both[name]) for name in alone)
    assert all(torch.equal(turned[name], both[name]) for name in both)


def test_modules_of_one_shape_differ(build: Build) -> None:
    start = started(build, {"left": 10, "right": 10})
    weights = [name for name in start if name.startswith("heads.left.") and start[name].ndim > 1]
    assert not any(torch.equal(start[name], start[name.replace("left", "right")]) for name in weights)


def test_seeds_differ(build: Build) -> None:
    one, other = started(build, {"left": 10}, seed=0), started(build, {"left": 10}, seed=1)
    assert not any(torch.equal(one[name], other[name]) for name in one if one[name].ndim > 1)


def test_what_was_trained_is_forgotten(build: Build) -> None:
    model = build({"left": 10})
    initialise(model, 0)
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        for value in [*model.parameters(), *model.buffers()]:
            value.add_(1)
    initialise(model, 0)
    assert all(torch.equal(value, fresh[name]) for name, value in model.state_dict().items())


def test_global_random_state_is_left_alone(build: Build) -> None:
    model = build({"left": 10})
    before = torch.get_rng_state()
    initialise(model, 0)
    assert torch.equal(torch.get_rng_state(), before)


class Scale(nn.Module):
    """Owns a parameter and does not say how to draw it."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1))


def test_a_module_that_cannot_be_reset_is_refused() -> None:
    model = MLP({"left": 2}, (1, 4, 4))
    model.add_module("scale", Scale())
    with pytest.raises(BenchError, match="Scale owns parameters"):
        initialise(model, 0)


class Asking(Scale):
    """Draws itself, given a width."""

    def reset_parameters(self, std: float) -> None:
        nn.init.normal_(self.factor, std=std)


def test_a_module_that_asks_for_an_argument_is_refused() -> None:
    model = MLP({"left": 2}, (1, 4, 4))
    model.add_module("asking", Asking())
    with pytest.raises(BenchError, match=r"asking \(Asking\) cannot be drawn anew: TypeError: .* argument: 'std'"):
        initialise(model, 0)


def test_a_model_on_another_device_is_refused() -> None:
    with pytest.raises(BenchError, match="on the CPU"):
        initialise(MLP({"left": 2}, (1, 4, 4)).to("meta"), 0)
