"""A loop that runs its steps inside of autocast."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from mtl_bench.methods import MGDA
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
