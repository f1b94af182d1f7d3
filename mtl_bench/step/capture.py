"""What a method writes for a batch, without moving anything."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.step.batch_step import BatchStep
from mtl_bench.step.loop import called
from mtl_bench.step.snapshot import Snapshot
from mtl_bench.step.stepper import Stepper

ROUNDING = 1e-3  # between a direction that was written and the same one from a list: rows may be fp32


@dataclass(frozen=True)
class Captured:
    """Rows of plain autograd; the directions that a method may write by its random draws; gradients of the heads."""

    method: Method  # set up, before its first step
    rows: Float[Tensor, "k P"]
    sizes: list[int]  # of the shared parameters, which a row runs through
    losses: Float[Tensor, "k"]
    directions: list[Float[Tensor, "P"]]
    shares: list[float]  # of the draws that end in each of these
    heads: list[Float[Tensor, "p"]]

    def problem(self, rows: Float[Tensor, "k p"] | None = None) -> GramianProblem:
        """What weights are found from; of `rows` where only some coordinates are asked about."""
        return _problem(self.rows if rows is None else rows, self.losses)


class _Written(NamedTuple):
    """The direction, the gradients of the heads, and whether the method drew random numbers for them."""

    direction: Float[Tensor, "P"]
    heads: list[Float[Tensor, "p"]]
    drew: bool


class _Watched(BatchStep):
    """Moves parameters as any other; `written` gets the gradients of each step but those on trial, by `id`."""

    def __init__(self, written: list[dict[int, Tensor]], *given: Any) -> None:
        super().__init__(*given)
        self.written = written

    def apply(self, *given: Any, **options: Any) -> None:
        if not self.mover.in_trial:
            self.written.append({id(p): p.grad.clone() for p in self.mover.parameters if p.grad is not None})
        super().apply(*given, **options)


class _Asked(Stepper):
    """In a loop that is only looked at every forward is as good as the first."""

    @property
    def _repeatable(self) -> bool:
        return True


def captured(
    method: Method,
    losses_fn: Callable[[], Sequence[Tensor] | Tensor],
    shared: Sequence[nn.Parameter],
    heads: Sequence[Sequence[nn.Parameter]],
    draws: int,
    **known: Any,
) -> Captured:
    """Asked under `draws` random states; a method that draws nothing is asked once. `known` goes to `Stepper`.

    Raises BenchError for a method whose first step on a batch does not have every task in it, and for one whose draws
    cannot all be listed: a direction that did not come up here may still be right.
    """
    losses = called(losses_fn, len(heads))
    rows = [torch.autograd.grad(loss, list(shared), retain_graph=True, allow_unused=True) for loss in losses]
    filled = [torch.cat([_or_zero(g, p).reshape(-1) for g, p in zip(row, shared, strict=True)]) for row in rows]
    stacked, values = torch.stack(filled), torch.stack([loss.detach() for loss in losses]).double().cpu()
    written = [_once(method, losses_fn, shared, heads, seed=0, **known)]
    if written[0].drew:
        written += [_once(method, losses_fn, shared, heads, seed=seed, **known) for seed in range(1, draws)]
    stepper = _stepper(method, shared, heads, **known)
    stepper.remove_hooks()
    directions, shares = _possible(stepper.method, stacked, values, written)
    sizes = [p.numel() for p in shared]
    return Captured(stepper.method, stacked, sizes, values, directions, shares, written[0].heads)


def _possible(
    method: Method, rows: Float[Tensor, "k P"], losses: Float[Tensor, "k"], written: Sequence[_Written]
) -> tuple[list[Float[Tensor, "P"]], list[float]]:
    """All directions that the draws of a method may end in, and the share of them that ends in each."""
    first, drew, gramian = written[0].direction, written[0].drew, isinstance(method, GramianWeighting)
    if not drew or not (gramian or any(not torch.equal(first, other.direction) for other in written)):
        return [first], [1.0]
    outcomes = _outcomes(method, rows, losses) if isinstance(method, GramianWeighting) else []
    distinct, counts = np.unique(np.round(outcomes, 9), axis=0, return_counts=True)
    directions = [torch.from_numpy(weights).to(rows) @ rows for weights in distinct]
    if not all(any(_same(one.direction, other) for other in directions) for one in written):
        raise BenchError(
            f"{type(method).__name__} draws at random, and with {len(rows)} tasks its draws cannot all be listed here, "
            "so that none could be called wrong; compare with fewer tasks, or with a method that draws nothing."
        )
    return directions, [count / len(outcomes) for count in counts.tolist()]


def _outcomes(
    method: GramianWeighting, rows: Float[Tensor, "k P"], losses: Float[Tensor, "k"]
) -> list[Float[np.ndarray, "k"]]:
    """What all draws of a method make the rows count; empty where they cannot be listed or move the heads as well."""
    tasks, generator = tuple(range(len(rows))), torch.Generator()
    before = generator.get_state()
    weights = method.active_weighting.task_weights(losses.to(rows), tasks=tasks, generator=generator).detach()
    if method.scale_heads or not torch.equal(generator.get_state(), before):
        return []
    host = weights.double().cpu()
    problem = _problem(rows * weights.to(rows)[:, None], losses * host)
    found = (method.bounded(method.scaled(outcome), problem.gramian) for outcome in method.outcomes(problem))
    return [(outcome * host).numpy() for outcome in found]


def _problem(rows: Float[Tensor, "k p"], losses: Float[Tensor, "k"]) -> GramianProblem:
    return GramianProblem((rows @ rows.T).double().cpu(), losses, tuple(range(len(rows))))


def _same(one: Float[Tensor, "P"], other: Float[Tensor, "P"]) -> bool:
    return float((one - other).norm()) <= ROUNDING * float(other.norm())


def _once(
    method: Method,
    losses_fn: Callable[[], Sequence[Tensor] | Tensor],
    shared: Sequence[nn.Parameter],
    heads: Sequence[Sequence[nn.Parameter]],
    **known: Any,
) -> _Written:
    stepper = _stepper(method, shared, heads, **known)
    before, parameters = stepper.state_dict(), Snapshot([*shared, *chain(*heads)])
    written: list[dict[int, Tensor]] = []
    try:
        stepper.step(losses_fn, kind=partial(_Watched, written))
    finally:
        stepper.remove_hooks()
        parameters.restore()
    after = stepper.state_dict()
    drew = any(not torch.equal(before[name], after[name]) for name in ("generator", "device_generator"))
    if len(written) != 1:
        raise BenchError(
            f"{type(method).__name__} takes {len(written)} steps on a batch; check_step compares a single one."
        )
    (gradients,) = written
    groups = [[_or_zero(gradients.get(id(p)), p).reshape(-1) for p in group] for group in (shared, *heads)]
    found = [torch.cat(group) if group else torch.empty(0) for group in groups]
    return _Written(found[0], found[1:], drew)


def _stepper(
    method: Method, shared: Sequence[nn.Parameter], heads: Sequence[Sequence[nn.Parameter]], **known: Any
) -> Stepper:
    every = [*shared, *(parameter for head in heads for parameter in head)]
    optimizer = torch.optim.SGD([parameter for parameter in every if parameter.requires_grad], lr=1.0)
    return _Asked(deepcopy(method), optimizer=optimizer, shared=shared, heads=heads, total_steps=1, **known)


def _or_zero(gradient: Tensor | None, parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if gradient is None else gradient.detach().clone()
