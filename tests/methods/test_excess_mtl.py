"""ExcessMTL against its equations."""

from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods.excess_mtl import ExcessMTL
from tests.methods.toys import context, toy

ALL = (0, 1, 2)
DOUBLE = torch.float64
SOUND = torch.tensor(True)


def ready(**options: Any) -> ExcessMTL:
    method = ExcessMTL(**options)
    method.setup(context())
    return method


def rows_of(seed: int, columns: int = 6) -> Float[Tensor, "k P"]:
    return torch.randn(3, columns, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def weights_of(method: ExcessMTL) -> Float[Tensor, "K"]:
    return method.log_weights.softmax(dim=0)


@pytest.mark.parametrize("warmup", [1, 3])
def test_equals_its_equations(warmup: int) -> None:
    method, squares, weights, first = ready(step_size=0.3, warmup=warmup), np.zeros((3, 6)), np.full(3, 1 / 3), []
    for t in range(8):
        rows = rows_of(t).numpy()
        method.follow(torch.from_numpy(rows), ALL, SOUND)
        squares = squares + rows**2
        excess = (rows**2 / np.sqrt(squares + 1e-7)).sum(axis=1)
        if t < warmup:
            first.append(excess)
        else:
            weights = weights * np.exp(0.3 * excess / np.mean(first, axis=0))
            weights = weights / weights.sum()
        assert_close(weights_of(method).numpy(), weights)


def test_the_step_is_the_weighted_sum_and_heads_feel_it() -> None:
    for scale_heads in (True, False):
        problem, method = toy(dtype=DOUBLE), ExcessMTL(scale_heads=scale_heads)
        method.setup(problem.context)
        problem.train(method, range(3))
        rows, before = problem.task_gradients(3), problem.parameters
        step = problem.step(3)
        graph = step.losses().graph
        assert graph is not None
        heads = [torch.autograd.grad(graph.terms[k], problem.machine.owned[k], retain_graph=True) for k in ALL]
        method.update(problem.step(3))
        weights = 3 * weights_of(method)
        shared = sum(p.numel() for p in problem.machine.shared.values())
        moved = (before - problem.parameters) / 0.1
        assert_close(moved[:shared], weights @ rows, rtol=1e-6, atol=1e-9)
        own = torch.cat([g.reshape(-1) * (weights[k] if scale_heads else 1) for k in ALL for g in heads[k]])
        assert_close(moved[shared:], own, rtol=1e-6, atol=1e-9)


def test_a_task_whose_gradient_begins_at_zero_poisons_nothing() -> None:
    method = ready()
    for t in range(6):
        rows = rows_of(t)
        rows[1] = 0 if t < 3 else rows[1]
        method.follow(rows, ALL, SOUND)
        assert weights_of(method).isfinite().all()
    assert weights_of(method)[1] > 0


@pytest.mark.parametrize("batches", [1, 10, 100])
def test_batches_with_a_gradient_of_zero_are_no_reference(batches: int) -> None:
    """A task that begins with them has the e⁰ of its first gradient, as one that was not there before."""
    late, absent = ready(), ready()
    for t in range(batches):
        late.follow(rows_of(t) * torch.tensor([[1.0], [0.0], [1.0]], dtype=DOUBLE), ALL, SOUND)
        absent.follow(rows_of(t)[[0, 2]], (0, 2), SOUND)
    for t in range(batches, batches + 20):
        for method in (late, absent):
            method.follow(rows_of(t), ALL, SOUND)
    assert_close(weights_of(late), weights_of(absent))


def test_an_absent_task_keeps_what_it_has() -> None:
    method = ready()
    for t in range(3):
        method.follow(rows_of(t), ALL, SOUND)
    assert method.squares.vectors is not None
    squares, logs = method.squares.vectors[1].clone(), method.log_weights[1]
    method.follow(rows_of(3)[[0, 2]], (0, 2), SOUND)
    assert torch.equal(method.squares.vectors[1], squares)
    assert method.log_weights[1] == logs
    assert method.seen.tolist() == [4, 3, 4]


def test_scales_of_the_losses_do_not_matter() -> None:
    plain, scaled = ready(), ready()
    factors = torch.tensor([1.0, 10.0, 1e2], dtype=DOUBLE)[:, None]
    for t in range(5):
        plain.follow(rows_of(t), ALL, SOUND)
        scaled.follow(rows_of(t) * factors, ALL, SOUND)
    assert_close(weights_of(scaled), weights_of(plain), rtol=1e-3, atol=0)  # up to the 1e-7 under the root


def test_one_task_is_plain_descent() -> None:
    problem, plain, method = toy(dtype=DOUBLE), toy(dtype=DOUBLE), ExcessMTL()
    method.setup(problem.context)
    for batch in range(3):
        step, other = problem.step(batch), plain.step(batch)
        step.tasks = other.tasks = (1,)
        method.update(step)
        losses = other.losses()
        other.backward(losses, torch.ones(1, dtype=DOUBLE))
        other.apply()
    assert_close(problem.parameters, plain.parameters)


@pytest.mark.parametrize("options", [{"step_size": -1.0}, {"warmup": 0}])
def test_ranges(options: dict[str, float]) -> None:
    with pytest.raises(BenchError, match="step_size >= 0 and warmup >= 1"):
        ready(**options)
