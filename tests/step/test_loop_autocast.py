"""A loop that runs its steps inside of autocast."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.methods import FAMO, MGDA, Method, RandomGroups
from mtl_bench.step import Stepper
from tests.step.one_layer import Net, built


def test_autocast_around_the_step_is_for_forwards_alone() -> None:
    """As if it stood inside of the function that is given: Gramian and direction in the precision of gradients."""
    moved = []
    for inside in (True, False):
        net, image = built(lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 5), nn.Tanh()))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        stepper = Stepper(MGDA(), shared=net.encoder, heads=net.heads, optimizer=optimizer, model=net)

        def losses(net: Net = net, image: Tensor = image, inside: bool = inside) -> list[Tensor]:
            with torch.autocast("cpu", torch.bfloat16) if inside else nullcontext():
                return [loss.float() for loss in net(image)]

        with torch.autocast("cpu", torch.bfloat16, enabled=not inside):
            stepper.step(losses)
            assert torch.is_autocast_enabled("cpu") != inside
        moved.append([parameter.detach() for parameter in net.parameters()])
    for one, other in zip(*moved, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("method", [FAMO, RandomGroups, MGDA])
@pytest.mark.parametrize("around", ["the function", "the step", "the loop"])
def test_every_forward_reads_the_weights_as_they_are(method: type[Method], around: str) -> None:
    """Autocast keeps casts of weights until the outermost one ends, which is not before the step's."""
    moved = []
    for cache in (True, False):
        net, image = built(lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 5), nn.Tanh()))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.2)
        stepper = Stepper(method(), shared=net.encoder, heads=net.heads, optimizer=optimizer, model=net)

        def autocast(here: str, cache: bool = cache) -> AbstractContextManager[object]:
            return torch.autocast("cpu", torch.bfloat16, cache_enabled=cache) if here == around else nullcontext()

        def losses(net: Net = net, image: Tensor = image, autocast: Any = autocast) -> list[Tensor]:
            with autocast("the function"):
                return [loss.float() for loss in net(image)]

        with autocast("the loop"):
            for _ in range(4):
                with autocast("the step"):
                    stepper.step(losses)
        moved.append([parameter.detach() for parameter in net.parameters()])
    for one, other in zip(*moved, strict=True):
        assert torch.equal(one, other)
