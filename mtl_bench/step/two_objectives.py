"""The two-objective problem on which papers draw their methods' paths."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.methods.base import Method
from mtl_bench.step.stepper import Stepper

# Of Nash-MTL (Navon et al., ICML 2022) and FAMO; CAGrad (Liu et al., NeurIPS 2021) has the first, the third and PAPER.
STARTS = ((-8.5, 7.5), (0.0, 0.0), (9.0, 9.0), (-7.5, -0.5), (9.0, -1.0))
PAPER = ((-8.5, 7.5), (-8.5, -5.0), (9.0, 9.0))
MINIMUM = (0.0, -8.3551098), -30.1832769  # of the sum: where, and how low
FLOOR = 5e-6


def objectives(place: Float[Tensor, "*points 2"]) -> tuple[Float[Tensor, "*points"], Float[Tensor, "*points"]]:
    """Both losses (CAGrad, appendix): two deep valleys of a logarithm for x₂ > 0, two paraboloids for x₂ < 0."""
    x, y = place.unbind(-1)
    above, below = (0.5 * y).tanh().clamp(min=0), (-0.5 * y).tanh().clamp(min=0)
    valleys = 0.5 * (-x - 7) - (-y).tanh(), 0.5 * (-x + 3) + (-y).tanh() + 2
    bowls = ((side - x).square() + 0.1 * (y + 8).square() for side in (7, -7))
    first, second = (
        (valley.abs().clamp(min=FLOOR).log() + 6) * above + (bowl / 10 - 20) * below
        for valley, bowl in zip(valleys, bowls, strict=True)
    )
    return first, second


def path(
    method: Method,
    start: tuple[float, float],
    optimizer: Callable[..., torch.optim.Optimizer],
    lr: float,
    iterations: int,
    until: Callable[[Float[np.ndarray, "2"]], bool] | None = None,
) -> Float[np.ndarray, "visited 2"]:
    """Where a method goes from `start`, float64; ends before `iterations` where `until` says so of a place."""
    place = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    stepper = Stepper(
        method,
        shared=[place],
        heads=[[], []],
        optimizer=optimizer([place], lr=lr),
        model=Point(place),
        total_steps=iterations,
    )
    visited = [place.detach().numpy().copy()]
    while len(visited) <= iterations and not (until and until(visited[-1])):
        stepper.step(lambda: list(objectives(place)))
        visited.append(place.detach().numpy().copy())
    return np.stack(visited)


def is_minimum(place: Float[np.ndarray, "2"], gap: float = 0.1) -> bool:
    """Whether the sum of both losses is within `gap` of its lowest value; which gap tables use is not published."""
    return sum(objectives(torch.from_numpy(place))).item() < MINIMUM[1] + gap  # type: ignore[union-attr]


class Point(nn.Module):
    """A model that is nothing but its two coordinates."""

    def __init__(self, place: nn.Parameter) -> None:
        super().__init__()
        self.place = place
