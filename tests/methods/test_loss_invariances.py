"""What holds for whole families of loss weightings, and for directions with memory: one row per method and claim."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.methods import (
    DBMTL,
    IMTLL,
    STCH,
    AdaTask,
    DynamicTaskPrioritization,
    ExcessMTL,
    GeometricLoss,
    GO4Align,
    GradNorm,
    LossWeighting,
    Method,
    MoCo,
    ScaleInvariant,
)
from mtl_bench.methods.interface import TaskGradients
from mtl_bench.methods.priorities import Prioritised
from tests.methods.toys import context, toy

ALL = (0, 1, 2)
DOUBLE = torch.float64
LOSSES = torch.tensor([0.3, 2.0, 7.0], dtype=DOUBLE)
FACTORS = torch.tensor([1e-2, 3.0, 1e2], dtype=DOUBLE)
WEIGHTINGS: dict[str, Callable[[], LossWeighting]] = {
    "dtp": DynamicTaskPrioritization,
    "dtp, relative": lambda: DynamicTaskPrioritization(measure="relative"),
    "gls": GeometricLoss,
    "go4align": GO4Align,
    "go4align, neither risk nor groups": lambda: GO4Align(beta=0.0, groups=3),
    "imtl_l": IMTLL,
    "si": ScaleInvariant,
    "stch": lambda: STCH(warmup=0),
    "stch of losses": lambda: STCH(form="loss"),
}
PRIORITISED = [name for name, make in WEIGHTINGS.items() if isinstance(make(), Prioritised)]
INVARIANT = {  # multiplying a loss by a constant leaves the step
    "si": "step",
    "stch": "step",
    "gls": "direction",
    "go4align, neither risk nor groups": "direction",
}
RELATIVE = ("dtp, relative",)  # the weight stays, which is not the step
GRADIENTS: dict[str, Callable[[], Method]] = {
    "adatask": AdaTask,
    "db_mtl": DBMTL,
    "excess_mtl": ExcessMTL,
    "gradnorm": GradNorm,
    "moco": MoCo,
    "moco as released": lambda: MoCo(normalise="loss", projection="softmax"),
}


def history(method: LossWeighting, factors: Float[Tensor, "k"]) -> LossWeighting:
    """Three epochs of two batches, in which losses fall at different rates."""
    method.setup(context())
    for epoch in range(3):
        values = LOSSES * factors / (epoch + 1.0) ** torch.arange(3)
        for _ in range(2):
            method.observe(values, tasks=ALL)
        method.end_epoch(values)
    return method


def step_of(method: LossWeighting, factors: Float[Tensor, "k"]) -> Float[Tensor, "k"]:
    """How far each loss's own unscaled gradient is followed."""
    return method.weights(LOSSES * factors / 5, tasks=ALL) * factors


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_scaling_of_losses(name: str) -> None:
    plain, scaled = (history(WEIGHTINGS[name](), factors) for factors in (torch.ones(3, dtype=DOUBLE), FACTORS))
    one, other = step_of(plain, torch.ones(3, dtype=DOUBLE)), step_of(scaled, FACTORS)
    if INVARIANT.get(name) == "direction":
        one, other = one / one.norm(), other / other.norm()
    if name in RELATIVE:
        other = other / FACTORS
    claimed = name in INVARIANT or name in RELATIVE
    assert torch.allclose(one, other, rtol=1e-3) == claimed


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_the_order_of_the_tasks_does_not_matter(name: str) -> None:
    order = [2, 0, 1]
    plain, permuted = (WEIGHTINGS[name]() for _ in range(2))
    for method, places in ((plain, list(ALL)), (permuted, order)):
        method.setup(context([("shape", "depth", "colour")[n] for n in places]))
        for epoch in range(3):
            values = LOSSES / (epoch + 1.0) ** torch.arange(3)
            method.observe(values[places], tasks=ALL)
            method.end_epoch(values[places])
    found = permuted.weights(LOSSES[order], tasks=ALL)
    assert_close(found, plain.weights(LOSSES, tasks=ALL)[order], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", PRIORITISED)
def test_more_priority_is_more_weight(name: str) -> None:
    share = 0.0
    for priority in (0.2, 1, 5):
        method = WEIGHTINGS[name]()
        method.priorities = {"depth": priority}  # type: ignore[attr-defined]
        weights = history(method, torch.ones(3, dtype=DOUBLE)).weights(LOSSES / 5, tasks=ALL)
        assert weights[1] / weights.sum() > share
        share = float(weights[1] / weights.sum())


@pytest.mark.parametrize("name", PRIORITISED)
def test_equal_priorities_change_nothing(name: str) -> None:
    plain, given = WEIGHTINGS[name](), WEIGHTINGS[name]()
    given.priorities = {"shape": 2, "depth": 2, "colour": 2}  # type: ignore[attr-defined]
    ones = torch.ones(3, dtype=DOUBLE)
    found = [history(method, ones).weights(LOSSES, tasks=ALL) for method in (plain, given)]
    assert_close(found[0], found[1], rtol=1e-6, atol=0)


def stepped(method: Method, change: Callable[[Tensor], Tensor]) -> Float[Tensor, "P"]:
    """The move in the last of three batches whose task gradients are changed before the method sees them."""
    problem = toy(dtype=DOUBLE)
    method.setup(problem.context)
    before = problem.parameters
    for batch in range(3):
        step = problem.step(batch)

        def changed(*given: Any, take: Callable[..., TaskGradients] = step.gradients, **options: Any) -> TaskGradients:
            found = take(*given, **options)
            found.matrix().copy_(change(found.matrix()))
            return found

        step.gradients = changed  # type: ignore[method-assign]
        before = problem.parameters
        method.update(step)
    return before - problem.parameters


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize(
    "change",
    [
        lambda rows: torch.stack([rows[0], rows[0], rows[2]]),
        lambda rows: torch.stack([rows[0], -rows[0], rows[2]]),
        lambda rows: torch.stack([rows[0], torch.zeros_like(rows[0]), rows[2]]),
        torch.zeros_like,
        lambda rows: rows * 1e-12,
    ],
    ids=["duplicate", "opposite", "zero", "all zero", "tiny"],
)
def test_degenerate_gradients_give_finite_steps(name: str, change: Callable[[Tensor], Tensor]) -> None:
    assert stepped(GRADIENTS[name](), change).isfinite().all()


@pytest.mark.parametrize("name", ["db_mtl", "excess_mtl", "moco", "moco as released"])
def test_identical_gradients_give_their_direction(name: str) -> None:
    """GradNorm weighs losses, whatever its rows, and Adam's first steps are signs."""
    only = toy(dtype=DOUBLE).task_gradients(0)[0]
    moved = stepped(GRADIENTS[name](), lambda rows: only.expand_as(rows))[: len(only)]
    assert_close(torch.nn.functional.cosine_similarity(moved, only, dim=0).item(), 1.0)


@pytest.mark.parametrize("name", [name for name in GRADIENTS if name not in ("gradnorm", "moco as released")])
def test_orthogonal_gradients_of_one_length_count_alike(name: str) -> None:
    """Released MoCo makes them as long as their losses; GradNorm weighs losses."""
    columns = len(toy(dtype=DOUBLE).task_gradients(0)[0])
    moved = stepped(GRADIENTS[name](), lambda rows: 0.5 * torch.eye(3, columns, dtype=DOUBLE))[:columns]
    assert_close(moved[:3], moved[:1].expand(3))
    assert moved[0] > 0
    assert not moved[3:].any()
