"""SI: the gradient of a sum of logarithms."""

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.methods.si import ScaleInvariant
from tests.methods.toys import context, toy

ALL = (0, 1, 2)
DOUBLE = torch.float64


def ready(**options: object) -> ScaleInvariant:
    method = ScaleInvariant(**options)  # type: ignore[arg-type]
    method.setup(context())
    return method


def test_equals_descending_the_logarithms() -> None:
    problem, other, method = toy(dtype=DOUBLE), toy(dtype=DOUBLE), ready()
    for batch in range(12):
        method.update(problem.step(batch))
        graph = other.step(batch).losses().graph
        assert graph is not None
        torch.stack([(graph.terms[k] + 1e-8).log() for k in ALL]).sum().backward()
        other.machine.mover.optimizer.step()
        other.machine.mover.optimizer.zero_grad()
    assert_close(problem.parameters, other.parameters, rtol=1e-9, atol=1e-12)


def test_priorities_weigh_the_logarithms() -> None:
    method = ready(priorities={"shape": 4})
    assert method.weights(torch.tensor([2.0, 2.0, 4.0]), tasks=ALL).tolist() == pytest.approx([1.0, 0.25, 0.125])
    assert method.weights(torch.tensor([2.0, 4.0]), tasks=(0, 2)).tolist() == pytest.approx([1.0, 0.125])


def test_a_loss_of_zero_and_a_negative_one() -> None:
    found = ready().weights(torch.tensor([0.0, -0.5, 1.0]), tasks=ALL)
    assert found.isfinite().tolist() == [True, False, True]


def test_half_precision_is_not_enough_for_a_logarithm() -> None:
    assert ready().weights(torch.tensor([1e-6, 1.0, 1.0], dtype=torch.bfloat16), tasks=ALL).dtype == torch.float32
