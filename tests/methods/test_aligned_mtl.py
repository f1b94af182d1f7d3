"""Aligned-MTL: orthogonal gradients of one length, three lengths, the rank, priorities, the upper bound."""

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.methods import AlignedMTL
from mtl_bench.methods.aligned_mtl import Scale, balance
from tests.methods.toys import context, toy

DOUBLE = torch.float64
NOISE = torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
ROWS = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
def test_the_aligned_gradients_are_orthogonal_and_equally_long(scale: Scale) -> None:
    gramian = ROWS @ ROWS.T
    aligned = balance(gramian, scale, 1e-15) @ ROWS
    eigenvalues = torch.linalg.eigvalsh(gramian)
    square = {"min": eigenvalues[0], "median": eigenvalues[1], "rmse": eigenvalues.mean()}[scale]
    assert_close(aligned @ aligned.T, square * torch.eye(3, dtype=DOUBLE))
    assert_close(AlignedMTL(scale=scale).weights(gramian) @ ROWS, aligned.sum(dim=0))


def test_rounding_of_float32_rows_is_no_direction() -> None:
    """Two copies of a task: under "min" its rounding would be the length of the step."""
    rows = torch.cat([ROWS, ROWS[:1] * (1 + 1e-9)]) + 1e-6 * NOISE
    kept = AlignedMTL().weights(rows @ rows.T) @ rows
    cut = AlignedMTL(eps=1e-20).weights(rows @ rows.T) @ rows
    assert kept.norm() > 0.1
    assert cut.norm() < 1e-3


def test_priorities_enter_behind_the_alignment() -> None:
    method = AlignedMTL(priorities={"shape": 2})
    method.setup(context())
    gramian = ROWS @ ROWS.T
    p = torch.tensor([0.5, 0.25, 0.25], dtype=DOUBLE)
    expected = 3 * balance(gramian, "min", method.eps) @ p
    assert_close(method.weights(gramian, tasks=(0, 1, 2)), expected)


def test_gradients_that_are_zero_stay_so() -> None:
    assert torch.equal(balance(torch.zeros(3, 3, dtype=DOUBLE), "min", 1e-7), torch.eye(3, dtype=DOUBLE))


def test_the_upper_bound_is_taken_at_the_features() -> None:
    problem, method = toy(dtype=DOUBLE), AlignedMTL(at="feature")
    method.setup(problem.context)
    step = problem.step(0)
    graph = step.losses().graph
    assert graph is not None
    rows = [torch.autograd.grad(graph.terms[k], graph.taps[k], retain_graph=True)[0].reshape(-1) for k in range(3)]
    stacked = torch.stack(rows)
    expected = AlignedMTL().weights(stacked @ stacked.T) @ problem.task_gradients(0)
    method.write(step.gradients(step.losses(), at="feature"), step)
    written = torch.cat([p.grad.reshape(-1) for p in problem.machine.shared.values() if p.grad is not None])
    assert_close(written, expected)
