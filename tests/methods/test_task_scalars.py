"""Trainable scalars: Adam, absence, and steps that are not finite."""

import math

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.methods.task_scalars import TaskScalars
from tests.methods.toys import CPU

GRADIENTS = [torch.tensor([0.3, -1.0]), torch.tensor([-2.0, 0.1]), torch.tensor([0.5, 0.5])]


def values(scalars: TaskScalars) -> list[float]:
    return scalars.values((0, 1)).tolist()


def test_equals_adam() -> None:
    scalars = TaskScalars(2, 0.5, 0.1, 0.01, CPU)
    expected = [torch.full((), 0.5, requires_grad=True) for _ in range(2)]
    adam = torch.optim.Adam(expected, lr=0.1, weight_decay=0.01, fused=True)
    for gradient in GRADIENTS:
        scalars.descend(gradient, (0, 1))
        for scalar, entry in zip(expected, gradient, strict=True):
            scalar.grad = entry.clone()
        adam.step()
        assert values(scalars) == [scalar.item() for scalar in expected]


def test_an_absent_task_stays_where_it_is() -> None:
    """Its first and second moments stay too, so that it goes on as if the batches had not been."""
    interrupted, alone = TaskScalars(2, 0.0, 0.1, 0.1, CPU), TaskScalars(2, 0.0, 0.1, 0.1, CPU)
    for scalars in (interrupted, alone):
        scalars.descend(GRADIENTS[0], (0, 1))
    for _ in range(5):
        before = values(interrupted)[1]
        interrupted.descend(torch.tensor([1.0]), (0,))
        assert values(interrupted)[1] == before
    for scalars in (interrupted, alone):
        scalars.descend(torch.tensor([0.7]), (1,))
    assert values(interrupted)[1] == values(alone)[1]


def test_a_gradient_that_is_not_finite_leaves_no_trace() -> None:
    disturbed, calm = TaskScalars(2, 0.0, 0.1, 0.01, CPU), TaskScalars(2, 0.0, 0.1, 0.01, CPU)
    disturbed.descend(torch.tensor([torch.nan, 1.0]), (0, 1))  # before there is any state
    for gradient in GRADIENTS:
        calm.descend(gradient, (0, 1))
        disturbed.descend(gradient, (0, 1))
        disturbed.descend(torch.tensor([1.0, torch.inf]), (0, 1))
    assert values(disturbed) == values(calm)
    moments = [state["exp_avg"].item() for state in disturbed.state_dict()["optimizer"]["state"].values()]
    assert moments == [state["exp_avg"].item() for state in calm.state_dict()["optimizer"]["state"].values()]


def test_an_integer_start_is_a_number_like_any_other() -> None:
    """`method.initial=0` on the command line is an integer."""
    scalars = TaskScalars(2, 0, 0.1, 0.0, CPU)
    scalars.descend(GRADIENTS[0], (0, 1))
    assert scalars.values((0, 1)).dtype == torch.float32


def test_values_are_detached_and_follow_the_order_asked_for() -> None:
    scalars = TaskScalars(3, 0.0, 0.1, 0.0, CPU)
    scalars.descend(torch.tensor([1.0, -1.0]), (0, 2))
    assert not scalars.values((0, 1, 2)).requires_grad
    assert scalars.values((2, 0)).tolist() == [scalars.scalars[2].item(), scalars.scalars[0].item()]


@pytest.mark.parametrize("lr", [-1.0, math.nan, math.inf])
def test_a_rate_that_is_none_is_one_sentence(lr: float) -> None:
    with pytest.raises(BenchError, match=r"method\.lr is finite and not negative"):
        TaskScalars(2, 0.0, lr, 0.0, CPU)
