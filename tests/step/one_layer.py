"""Networks of one layer in a loop of one's own, whose gradients may stay in factors."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mtl_bench.methods import MGDA
from mtl_bench.step import Stepper
from mtl_bench.step.engines.flat import FlatRows


def in_factors(gradients: FlatRows) -> bool:
    return any(one.agrees for one in gradients._factored.values())


class Net(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.encoder = layer
        self.heads = nn.ModuleList(nn.LazyLinear(1) for _ in range(3))

    def forward(self, image: Tensor) -> list[Tensor]:
        feature = self.encoder(image)
        return [head(feature.flatten(1)).square().mean() for head in self.heads]


def built(layer: Callable[[], nn.Module]) -> tuple[Net, Tensor]:
    torch.manual_seed(0)
    net, image = Net(layer()), torch.randn(4, 2, 6, 6)
    net(image)
    return net, image


def gramian_in_factors(net: Net, image: Tensor) -> tuple[Tensor, bool]:
    """Of a step in a loop of one's own, and whether a weight with several columns was kept in factors."""
    seen: list[Tensor] = []
    kept: list[bool] = []

    class Watched(MGDA):
        needs_rows = False  # type: ignore[assignment]

        def write(self, gradients: Any, step: Any) -> None:
            kept.append(in_factors(gradients))
            seen.append(gradients.gramian())
            super().write(gradients, step)

    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    stepper = Stepper(Watched(), shared=net.encoder, heads=net.heads, optimizer=optimizer, model=net)
    stepper.step(lambda: net(image))
    return seen[0], kept[0]


def rows_by_autograd(net: Net, image: Tensor) -> Tensor:
    parameters = list(net.encoder.parameters())
    rows = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in net(image)]
    return torch.stack([torch.cat([gradient.flatten() for gradient in row]) for row in rows]).double()


def trained(net: Net, scales: list[float], image: Tensor) -> tuple[list[Tensor], Stepper]:
    """Parameters after a batch of losses with each factor."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    stepper = Stepper(MGDA(), shared=net.encoder, heads=net.heads, optimizer=optimizer, model=net)

    for scale in scales:
        take(stepper, net, image, scale)
    return [parameter.detach().clone() for parameter in net.parameters()], stepper


def take(stepper: Stepper, net: Net, image: Tensor, scale: float) -> None:
    stepper.step(lambda: [scale * loss for loss in net(image)])
