"""GLS: the gradient of a geometric mean."""

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.methods.gls import GeometricLoss
from mtl_bench.methods.si import ScaleInvariant
from tests.methods.toys import context, toy

ALL = (0, 1, 2)
DOUBLE = torch.float64


def ready(tasks: int = 3, **options: object) -> GeometricLoss:
    method = GeometricLoss(**options)  # type: ignore[arg-type]
    method.setup(context([f"t{k}" for k in range(tasks)]))
    return method


@pytest.mark.parametrize("priorities", [None, {"t0": 3}])
def test_weights_are_the_gradient_of_the_geometric_mean(priorities: dict[str, float] | None) -> None:
    values = torch.tensor([0.3, 2.0, 7.0], dtype=DOUBLE, requires_grad=True)
    shares = torch.tensor([0.6, 0.2, 0.2] if priorities else [1 / 3] * 3, dtype=DOUBLE)
    (expected,) = torch.autograd.grad((values**shares).prod(), values)
    assert_close(ready(priorities=priorities).weights(values.detach(), tasks=ALL), expected, rtol=1e-6, atol=0)


def test_the_common_scale_makes_equal_losses_the_plain_sum() -> None:
    for k in (1, 2, 3):
        found = ready().task_weights(torch.full((k,), 0.7), tasks=tuple(range(k)))
        assert_close(found, torch.ones(k))


def test_forty_tasks_do_not_underflow() -> None:
    values = torch.full((40,), 1e-6)
    found = ready(40).task_weights(values, tasks=tuple(range(40)))
    assert_close(found, torch.ones(40), rtol=1e-4, atol=0)  # their product is 1e-240


def test_the_direction_is_that_of_the_scale_invariant_sum() -> None:
    values, other = torch.tensor([0.3, 2.0, 7.0]), ScaleInvariant()
    other.setup(context())
    ratio = ready().weights(values, tasks=ALL) / other.weights(values, tasks=ALL)
    assert_close(ratio, ratio[:1].expand(3))


def test_a_negative_loss_is_counted_as_a_failed_step() -> None:
    problem, method = toy(), ready()
    problem.batches[0].targets["depth"] *= 0
    method.setup(problem.context)
    assert not ready().weights(torch.tensor([1.0, -1.0, 1.0]), tasks=ALL).isfinite().any()
