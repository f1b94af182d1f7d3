"""Is my own implementation right? A loop's gradients beside ours and beside plain autograd, in words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.step.capture import Captured, captured
from mtl_bench.step.snapshot import Snapshot, global_random_state, set_global_random_state
from mtl_bench.step.stepper import Parameters, parameters_of

DRAWS = 64  # random states under which our method is asked
REPEATS = 40  # further steps of a random method's loop
CHANCE = 1e-3  # below which it is no accident that only some outcomes came up

Losses = Callable[[], Sequence[Tensor] | Tensor]


@dataclass(frozen=True)
class StepReport:
    """What differs, in words; nothing: the loop is right. `print` it."""

    method: str
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        if self.ok:
            return f"The step is that of {self.method}."
        return "\n".join([f"The step is not that of {self.method}:", *(f"- {each}" for each in self.differences)])


def check_step(
    losses_fn: Losses,
    shared: Parameters,
    heads: Sequence[Parameters],
    step_fn: Callable[[], object],
    *,
    method: Method | None = None,
    lr: float | None = None,
    tolerance: float = 1e-4,
    **known: Any,
) -> StepReport:
    """Runs your step on a batch and compares the gradients it leaves with those of `method` (None: the losses' sum).

    `losses_fn` computes the K losses of a batch, `step_fn` is your whole step on the same batch, without dropout or
    with the global random state it finds. Compared is what it leaves in `.grad`; a step that clears its gradients is
    read off the parameters' change under plain SGD with `lr`. Gradients count as equal within `tolerance` of their
    norm, which fp32 needs; use fp64 to be sure. The step of a random method is run often: what it draws must be what
    the method may draw. Parameters and gradients are afterwards as before (buffers are not). What the method asks to
    know of the tasks goes to `Stepper`: `tasks=[…]` for priorities, `likelihoods=[…]`, `static_weights={…}`.

    Raises BenchError for a step or lists that leave nothing to compare, for a method of several steps per batch, and
    for one whose draws cannot all be listed (PCGrad with more than four tasks that conflict).
    """
    method = method or LinearScalarization()
    groups = [[p for p in parameters_of(group) if p.requires_grad] for group in (shared, *heads)]
    if not groups[0]:
        raise BenchError("shared= names no parameter that requires a gradient, so there is nothing to compare.")
    every = [parameter for group in groups for parameter in group]
    former = {id(parameter): parameter.grad for parameter in every}
    random = global_random_state(every[0].device)

    def theirs() -> list[Float[Tensor, "P"]]:
        before = Snapshot(every)
        for parameter in every:
            old = former[id(parameter)]
            parameter.grad = None if old is None else old.clone()
        try:
            step_fn()
            return _left(groups, before, lr)
        finally:
            before.restore()
            for parameter in every:
                parameter.grad = None

    try:
        first = theirs()
        after = global_random_state(every[0].device)
        set_global_random_state(every[0].device, random)
        ours = captured(method, losses_fn, groups[0], groups[1:], DRAWS, **known)
        set_global_random_state(every[0].device, after)
        again = [theirs()[0] for _ in range(REPEATS)] if len(ours.directions) > 1 else []
    finally:
        for parameter in every:
            parameter.grad = former[id(parameter)]
    stale = [_flat(group, [former[id(parameter)] for parameter in group]) for group in groups]
    differences = [*_shared([first[0], *again], ours, stale[0], tolerance)]
    differences += _heads(first[1:], ours, stale[1:], tolerance)
    return StepReport(type(method).__name__, tuple(differences))


def _left(groups: Sequence[Sequence[nn.Parameter]], before: Snapshot, lr: float | None) -> list[Float[Tensor, "P"]]:
    """The gradient of each group: as left, else from the way the parameters went."""
    if any(parameter.grad is not None for group in groups for parameter in group):
        return [_flat(group, [parameter.grad for parameter in group]) for group in groups]
    moved = before.changes()
    if not any(change.any() for change in moved):
        raise BenchError("step_fn left no gradient and moved no parameter; let it run backward, at least.")
    if lr is None:
        raise BenchError("step_fn clears its gradients; let it step with plain SGD and give its lr.")
    changes = iter(moved)
    return [_flat(group, [-next(changes) / lr for _ in group]) for group in groups]


def _flat(group: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> Float[Tensor, "P"]:
    filled = [torch.zeros_like(p) if g is None else g.detach() for p, g in zip(group, gradients, strict=True)]
    return torch.cat([g.reshape(-1) for g in filled]) if filled else torch.empty(0)


def _shared(
    observed: Sequence[Float[Tensor, "P"]], ours: Captured, stale: Float[Tensor, "P"], tolerance: float
) -> Iterator[str]:
    """`observed` are the gradients of one batch from several steps, which random methods need."""
    wrong = next((found for found in observed if not _among(found, ours.directions, tolerance)), None)
    if wrong is None:
        yield from _too_few(observed, ours, tolerance)
        return
    for sentence, candidate in _mistakes(ours, stale):
        if _near(wrong, candidate, tolerance):
            yield f"shared parameters: {sentence}"
            return
    if _tensor_by_tensor(wrong, ours, tolerance):
        yield "shared parameters: the method is applied tensor by tensor, not to all of them as one vector"
        return
    if not wrong.any():
        yield "shared parameters: they have no gradient and stay untouched"
        return
    weights = torch.linalg.lstsq(ours.rows.T, wrong[:, None]).solution[:, 0]
    if _near(weights @ ours.rows, wrong, tolerance):
        counted = ", ".join(f"{round(weight, 6) + 0.0:.4g}" for weight in weights.tolist())  # and no "-0"
        yield f"shared parameters: the gradients of the tasks count {counted} times, in their order"
        return
    best = max(ours.directions, key=lambda direction: _cosine(wrong, direction))
    ratio = float(wrong.norm() / best.norm().clamp(min=1e-30))
    yield (
        f"shared parameters: the gradient has cosine {_cosine(wrong, best):.4f} to ours and {ratio:.4g} times its "
        "norm, and is no mistake known here"
    )


def _too_few(observed: Sequence[Float[Tensor, "P"]], ours: Captured, tolerance: float) -> Iterator[str]:
    """A mistake that shows in no single step: only some of the outcomes of a random method ever come up."""
    constant = all(_near(found, observed[0], tolerance) for found in observed)
    if constant or not isinstance(ours.method, GramianWeighting):
        return
    sets: dict[str, list[Tensor]] = {}
    for sentence, weights in ours.method.mistakes(ours.problem()):
        sets.setdefault(sentence, []).append(weights.to(ours.rows) @ ours.rows)
    for sentence, candidates in sets.items():
        among = [_among(direction, candidates, tolerance) for direction in ours.directions]
        possible = list(compress(ours.directions, among))
        chance = sum(compress(ours.shares, among)) ** len(observed)
        if chance < CHANCE and all(_among(found, possible, tolerance) for found in observed):
            yield f"shared parameters: {sentence}"
            return


def _mistakes(ours: Captured, stale: Float[Tensor, "P"]) -> Iterator[tuple[str, Float[Tensor, "P"]]]:
    """Gradients that known mistakes leave, with what to say of them; the more particular ones first."""
    K = len(ours.rows)
    for direction in ours.directions:
        if stale.any():
            yield "the gradient of an earlier backward was not cleared and is added (accumulated)", direction + stale
        yield "twice ours: it was accumulated twice", 2 * direction
        yield f"ours divided by {K}: the losses or gradients are averaged where they should be summed", direction / K
        yield f"{K} times ours: scaled by the number of tasks", K * direction
        yield "minus ours: the sign is turned", -direction
    total = ours.rows.sum(dim=0)
    yield "the plain sum of the task gradients: the method had no effect", total
    yield "the plain mean of the task gradients: the method had no effect, and they are averaged", total / K
    for task, row in enumerate(ours.rows):
        yield f"the gradient of task {task} alone: the others were cleared or overwritten", row
    if isinstance(ours.method, GramianWeighting):
        for sentence, weights in ours.method.mistakes(ours.problem()):
            yield sentence, weights.to(ours.rows) @ ours.rows


def _tensor_by_tensor(wrong: Float[Tensor, "P"], ours: Captured, tolerance: float) -> bool:
    """Whether each shared tensor has a gradient that a Gramian method may give it for its own rows alone."""
    method = ours.method
    if not isinstance(method, GramianWeighting):
        return False
    for rows, found in zip(ours.rows.split(ours.sizes, dim=1), wrong.split(ours.sizes), strict=True):
        problem = ours.problem(rows)
        outcomes = list(method.outcomes(problem)) or [method.weights(problem)]
        if not _among(found, [method.scaled(weights).to(rows) @ rows for weights in outcomes], tolerance):
            return False
    return True


def _heads(
    theirs: Sequence[Float[Tensor, "p"]], ours: Captured, stale: Sequence[Float[Tensor, "p"]], tolerance: float
) -> Iterator[str]:
    for task, (found, right, old) in enumerate(zip(theirs, ours.heads, stale, strict=True)):
        if _near(found, right, tolerance):
            continue
        factor = float(found @ right / (right @ right).clamp(min=1e-30))
        if not found.any():
            yield f"head {task}: it has no gradient and stays untouched"
        elif old.any() and _near(found, right + old, tolerance):
            yield f"head {task}: the gradient of an earlier backward was not cleared and is added (accumulated)"
        elif _near(found, factor * right, tolerance):
            yield f"head {task}: its gradient is {factor:.4g} times that of its own loss"
        else:
            yield f"head {task}: its gradient is not that of its own loss (cosine {_cosine(found, right):.4f})"


def _among(one: Tensor, others: Sequence[Tensor], tolerance: float) -> bool:
    return any(_near(one, other, tolerance) for other in others)


def _near(one: Tensor, other: Tensor, tolerance: float) -> bool:
    return float((one - other).norm()) <= tolerance * max(float(other.norm()), 1e-30)


def _cosine(one: Tensor, other: Tensor) -> float:
    return float(one @ other / (one.norm() * other.norm()).clamp(min=1e-30))
