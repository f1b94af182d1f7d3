"""Nash-MTL: the bargaining solution, its length, powers, and a missed solution."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mtl_bench.methods import NashMTL, nash_mtl
from tests.methods.toys import context, gramian_of, toy

DOUBLE = torch.float64


def test_every_task_gains_the_inverse_of_its_weight() -> None:
    for seed in range(100):
        k = 2 + seed % 9
        gramian = gramian_of(k, k + 2, seed)
        weights = NashMTL().weights(gramian)
        assert_close(gramian @ weights, 1 / weights, rtol=1e-7, atol=0)
        assert_close((weights @ gramian @ weights).item(), float(k))  # ‖d‖² = k


def test_the_step_is_a_unit_vector() -> None:
    problem, method = toy(dtype=DOUBLE), NashMTL()
    method.setup(problem.context)
    step = problem.step(0)
    method.write(step.gradients(step.losses()), step)
    written = torch.cat([p.grad.reshape(-1) for p in problem.machine.shared.values() if p.grad is not None])
    assert_close(written.norm().item(), 1.0)


def test_priorities_are_bargaining_powers() -> None:
    method = NashMTL(priorities={"shape": 3, "colour": 0})
    method.setup(context())
    gramian = gramian_of(3, 6, 0)
    weights = method.weights(gramian, tasks=(0, 1, 2))
    assert weights[2] == 0
    assert_close((weights * (gramian @ weights))[:2], 3 * torch.tensor([0.75, 0.25], dtype=DOUBLE), rtol=1e-7, atol=0)
    shares = []
    for power in (1, 2, 8):  # a task gains the more, the more power it has
        method = NashMTL(priorities={"shape": power})
        method.setup(context())
        d = method.weights(gramian, tasks=(0, 1, 2))
        shares.append(float((gramian @ d)[0]))
    assert shares == sorted(shares)


def test_a_missed_solution_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    residuals = iter([0.0, 1e-9, 1e-7])
    monkeypatch.setattr(nash_mtl, "alpha_fair", lambda gramian, alpha, powers: (np.ones(2), next(residuals)))
    method = NashMTL()
    for expected in (0, 0, 1):
        method.weights(torch.eye(2, dtype=DOUBLE))
        assert method.solver_failures == expected


def test_heads_are_scaled_by_the_solution_and_not_by_what_the_clip_left() -> None:
    problem, method = toy(dtype=DOUBLE), NashMTL(scale_heads=True)
    method.setup(problem.context)
    rows, step = problem.task_gradients(0), problem.step(0)
    graph = problem.step(0).losses().graph
    assert graph is not None
    own = [torch.autograd.grad(graph.terms[k], problem.machine.owned[k], retain_graph=True) for k in range(3)]
    method.write(step.gradients(step.losses()), step)
    weights = NashMTL().weights(rows @ rows.T)
    assert (weights @ rows).norm() > 1.1, "the clip has something to do"
    for k, gradients in enumerate(own):
        for parameter, gradient in zip(problem.machine.owned[k], gradients, strict=True):
            assert parameter.grad is not None
            assert_close(parameter.grad, weights[k] * gradient)


def test_opposite_gradients_keep_the_step_bounded() -> None:
    rows = torch.tensor([[1.0, 2.0], [-1.0, -2.0]], dtype=DOUBLE)
    method = NashMTL()
    weights = method.bounded(method.weights(rows @ rows.T), rows @ rows.T)
    assert (weights @ rows).norm() <= 1 + 1e-9
    assert method.solver_failures == 0
