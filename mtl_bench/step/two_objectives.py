"""The two-objective problem on which papers draw their methods' paths."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mtl_bench.methods.base import Method
from mtl_bench.step.stepper import Stepper

# Of Nash-MTL (Navon et al., ICML 2022) and FAMO; CAGrad (Liu et al., NeurIPS 2021) has the first, the third and PAPER.
STARTS = ((-8.5, 7.5), (0.0, 0.0), (9.0, 9.0), (-7.5, -0.5), (9.0, -1.0))
PAPER = ((-8.5, 7.5), (-8.5, -5.0), (9.0, 9.0))
MINIMUM = (0.0, -8.3551098), -30.1832769  # of the sum: where, and how low
LOWEST = -20.0  # neither loss gets there
FLOOR = 5e-6


def objectives(place: Float[Tensor, "*points 2"]) -> tuple[Float[Tensor, "*points"], Float[Tensor, "*points"]]:
    """Both losses (CAGrad, appendix): two deep valleys of a logarithm for x₂ > 0, two paraboloids for x₂ < 0."""
    x, y = place.unbind(-1)
    half, bend, depth = (0.5 * y).tanh(), (-y).tanh(), 0.1 * (y + 8).square()
    above, below = half.clamp(min=0), (-half).clamp(min=0)
    valleys = 0.5 * (-x - 7) - bend, 0.5 * (-x + 3) + bend + 2
    bowls = ((side - x).square() + depth for side in (7, -7))
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
    raised: float = 0.0,
) -> Float[np.ndarray, "visited 2"]:
    """Where a method goes from `start`, float64; ends before `iterations` where `until` says so of a place.

    `raised` is added to both losses, for methods that take their logarithms or ratios; it changes no gradient.
    """
    place = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def losses() -> list[Tensor]:
        return [loss + raised for loss in objectives(place)]

    stepper = Stepper(
        method,
        shared=[place],
        heads=[[], []],
        optimizer=optimizer([place], lr=lr),
        model=Point(place),
        total_steps=iterations,
        held_out=losses,  # there are no samples to differ
    )
    visited = [place.detach().numpy().copy()]
    while len(visited) <= iterations and not (until and until(visited[-1])):
        stepper.step(losses, split=lambda parts: [losses] * parts)
        visited.append(place.detach().numpy().copy())
    return np.stack(visited)


def is_minimum(place: Float[np.ndarray, "2"], gap: float = 0.1) -> bool:
    """Whether the sum of both losses is within `gap` of its lowest value; which gap tables use is not published."""
    return sum(objectives(torch.from_numpy(place))).item() < MINIMUM[1] + gap  # type: ignore[union-attr]


@cache
def front() -> tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points 2"]]:
    """The Pareto front from one end to the other: places and losses. No place has both losses below those of another.

    For x between the bowls' centres, ±7, (7 + x) / 14 is the weight of the first loss whose sum is lowest at that x;
    the depth is then found among y a thousandth apart.
    """
    x, y = np.linspace(-7, 7, 281), np.linspace(-9, -8, 1001)
    places = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    losses = np.stack([loss.numpy() for loss in objectives(torch.from_numpy(places))], axis=-1)
    weights = np.stack([7 + x, 7 - x], axis=-1)[:, None] / 14
    lowest = np.argmin((weights * losses).sum(axis=-1), axis=1)
    return places[range(len(x)), lowest], losses[range(len(x)), lowest]


def on_front(places: Float[np.ndarray, "visited 2"], gap: float = 0.1) -> Bool[np.ndarray, "visited"]:
    """Whether no place lowers both losses by more than `gap`."""
    losses = np.stack([loss.numpy() for loss in objectives(torch.from_numpy(places))], axis=-1)
    return (losses[:, None] - front()[1]).min(axis=-1).max(axis=-1) <= gap


class Point(nn.Module):
    """A model that is nothing but its two coordinates."""

    def __init__(self, place: nn.Parameter) -> None:
        super().__init__()
        self.place = place
