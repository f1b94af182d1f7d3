"""What a method writes for a batch, without moving anything."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.step.batch_step import BatchStep
from mtl_bench.step.loop import called
from mtl_bench.step.stepper import Stepper


@dataclass(frozen=True)
class Captured:
    """Rows of plain autograd; the directions that a method may write by its random draws; gradients of the heads."""

    method: Method  # set up, before its first step
    rows: Float[Tensor, "k P"]
    sizes: list[int]  # of the shared parameters, which a row runs through
    losses: Float[Tensor, "k"]
    directions: list[Float[Tensor, "P"]]
    heads: list[Float[Tensor, "p"]]

    def problem(self, rows: Float[Tensor, "k p"] | None = None) -> GramianProblem:
        """What weights are found from; of `rows` where only some coordinates are asked about."""
        rows = self.rows if rows is None else rows
        return GramianProblem((rows @ rows.T).double().cpu(), self.losses, tuple(range(len(rows))))


class _Caught(Exception):
    """The gradients are written."""

    def __init__(self, gradients: dict[int, Tensor | None]) -> None:
        super().__init__()
        self.gradients = gradients  # by `id` of the parameter


class _Catching(BatchStep):
    def apply(self, *given: Any, **options: Any) -> None:
        raise _Caught({id(parameter): parameter.grad for parameter in self.mover.parameters})


def captured(
    method: Method,
    losses_fn: Callable[[], Sequence[Tensor] | Tensor],
    shared: Sequence[nn.Parameter],
    heads: Sequence[Sequence[nn.Parameter]],
    draws: int,
    **known: Any,
) -> Captured:
    """Asked under `draws` random states; a method that draws nothing is asked once. `known` goes to `Stepper`.

    Raises BenchError for a method whose first step on a batch does not have every task in it.
    """
    losses = called(losses_fn, len(heads))
    rows = [torch.autograd.grad(loss, list(shared), retain_graph=True, allow_unused=True) for loss in losses]
    filled = [torch.cat([_or_zero(g, p).reshape(-1) for g, p in zip(row, shared, strict=True)]) for row in rows]
    directions: list[Tensor] = []
    for seed in range(draws):
        direction, own, drew = _once(method, losses_fn, shared, heads, seed=seed, **known)
        if not any(torch.equal(direction, other) for other in directions):
            directions.append(direction)
        if seed == 0:
            found = own
        if not drew:
            break
    stacked, values = torch.stack(filled), torch.stack([loss.detach() for loss in losses]).double().cpu()
    stepper = _stepper(method, shared, heads, **known)
    stepper.remove_hooks()
    method = stepper.method
    result = Captured(method, stacked, [p.numel() for p in shared], values, directions, found)
    if isinstance(method, GramianWeighting):
        problem = result.problem()
        for weights in method.outcomes(problem):
            direction = method.bounded(method.scaled(weights), problem.gramian).to(stacked) @ stacked
            if not any(torch.allclose(direction, other, rtol=1e-9) for other in directions):
                directions.append(direction)
    return result


def _once(
    method: Method,
    losses_fn: Callable[[], Sequence[Tensor] | Tensor],
    shared: Sequence[nn.Parameter],
    heads: Sequence[Sequence[nn.Parameter]],
    **known: Any,
) -> tuple[Tensor, list[Tensor], bool]:
    """The direction, the gradients of the heads, and whether the method drew random numbers for them."""
    stepper = _stepper(method, shared, heads, **known)
    before = stepper.state_dict()
    gradients: dict[int, Tensor | None] = {}
    try:
        stepper.step(losses_fn, kind=_Catching)
    except _Caught as caught:
        gradients = caught.gradients
    finally:
        stepper.remove_hooks()
    after = stepper.state_dict()
    drew = any(not torch.equal(before[name], after[name]) for name in ("generator", "device_generator"))
    if any(all(gradients.get(id(parameter)) is None for parameter in head) for head in heads if len(head)):
        raise BenchError(f"{type(method).__name__} takes several steps on a batch; check_step compares a single one.")
    groups = [[_or_zero(gradients.get(id(p)), p).reshape(-1) for p in group] for group in (shared, *heads)]
    found = [torch.cat(group) if group else torch.empty(0) for group in groups]
    return found[0], found[1:], drew


def _stepper(
    method: Method, shared: Sequence[nn.Parameter], heads: Sequence[Sequence[nn.Parameter]], **known: Any
) -> Stepper:
    every = [*shared, *(parameter for head in heads for parameter in head)]
    optimizer = torch.optim.SGD([parameter for parameter in every if parameter.requires_grad], lr=1.0)
    return Stepper(deepcopy(method), optimizer=optimizer, shared=shared, heads=heads, total_steps=1, **known)


def _or_zero(gradient: Tensor | None, parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if gradient is None else gradient.detach().clone()
