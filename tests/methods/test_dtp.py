"""DTP: performances and weights by hand."""

from math import exp, log
from typing import Any

import pytest
import torch
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.dtp import DynamicTaskPrioritization
from tests.methods.toys import context, toy

ALL = (0, 1, 2)  # shape and colour are classifications, depth is a regression


def ready(**options: Any) -> DynamicTaskPrioritization:
    method = DynamicTaskPrioritization(**options)
    method.setup(context())
    return method


def weights_of(method: DynamicTaskPrioritization, *values: float, tasks: tuple[int, ...] = ALL) -> list[float]:
    return list(method.weights(torch.tensor(values), tasks=tasks).tolist())


def focal(performance: float, gamma: float = 1.0) -> float:
    return -((1 - performance) ** gamma) * log(performance)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_two_batches(gamma: float) -> None:
    method = ready(gamma=gamma, discount=0.25)
    first = [exp(-0.2), exp(-1), exp(-3.0)]  # the regression begins at 1/e, whatever its unit
    assert weights_of(method, 0.2, 40.0, 3.0) == pytest.approx([focal(k, gamma) for k in first], rel=1e-5)
    method.observe(torch.tensor([0.2, 40.0, 3.0]), tasks=ALL)
    now = [exp(-0.1), exp(-0.5), exp(-1.0)]
    second = [0.75 * k + 0.25 * n for k, n in zip(first, now, strict=True)]
    assert weights_of(method, 0.1, 20.0, 1.0) == pytest.approx([focal(k, gamma) for k in second], rel=1e-5)


def test_relative_to_the_first_loss() -> None:
    method = ready(measure="relative", discount=1.0)
    assert weights_of(method, 0.2, 40.0, 3.0) == pytest.approx([focal(exp(-1))] * 3)
    method.observe(torch.tensor([0.2, 40.0, 3.0]), tasks=ALL)
    assert weights_of(method, 0.1, 20.0, 1.5) == pytest.approx([focal(exp(-0.5))] * 3)


def test_hard_tasks_weigh_more() -> None:
    found = [weights_of(ready(), loss, 1.0, 1.0)[0] for loss in (0.01, 0.1, 1.0, 3.0, 10.0)]
    assert found == sorted(found)


@pytest.mark.parametrize("loss", [0.0, -2.0, 1e30])
def test_extremes_are_finite(loss: float) -> None:
    method = ready()
    for _ in range(2):
        found = weights_of(method, loss, loss, loss)
        assert all(0 <= weight < 14 for weight in found)
        method.observe(torch.full((3,), loss), tasks=ALL)


def test_an_absent_task_keeps_its_performance() -> None:
    problem, method = toy(absent=1), ready()
    for batch in range(6):
        before: Tensor = method.performance
        method.update(problem.step(batch))
        assert (method.performance != before).tolist() == [True, batch % 2 == 0, True]


@pytest.mark.parametrize("options", [{"discount": 0.0}, {"discount": 1.1}, {"gamma": -1.0}])
def test_ranges(options: dict[str, float]) -> None:
    with pytest.raises(BenchError, match=r"discount lies in \(0, 1\] and gamma from 0 on"):
        ready(**options)


def test_what_tasks_are_must_be_known() -> None:
    with pytest.raises(BenchError, match="measure=likelihood asks what tasks are"):
        DynamicTaskPrioritization().setup(context(likelihoods=()))
    DynamicTaskPrioritization(measure="relative").setup(context(likelihoods=()))
