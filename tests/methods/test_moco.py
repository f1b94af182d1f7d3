"""MoCo against its equations, and a projection onto the simplex against a solver."""

from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from qpsolvers import solve_qp
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods.moco import MoCo, nearest_in_simplex
from mtl_bench.training.diagnostics import used_weights
from tests.methods.toys import context, toy

SOUND = torch.tensor(True)
ALL = (0, 1, 2)
DOUBLE = torch.float64


def ready(**options: Any) -> MoCo:
    method = MoCo(**options)
    method.setup(context())
    return method


def batches(count: int, columns: int = 7) -> list[tuple[Float[Tensor, "k P"], Float[Tensor, "k"]]]:
    draw = torch.Generator().manual_seed(0)
    shapes = [(3, columns), (3,)]
    return [tuple(torch.rand(s, generator=draw, dtype=DOUBLE) + 0.1 for s in shapes) for _ in range(count)]  # type: ignore[misc]


def by_quadratic_program(point: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k"]:
    """The nearest point of the simplex."""
    k = len(point)
    found = solve_qp(np.eye(k), -point, A=np.ones((1, k)), b=np.ones(1), lb=np.zeros(k), solver="quadprog")
    assert found is not None
    return found


@pytest.mark.parametrize("normalise", ["none", "loss"])
@pytest.mark.parametrize("projection", ["simplex", "softmax"])
def test_equals_its_equations(normalise: str, projection: str) -> None:
    rho, y, share = 0.3, np.zeros((3, 7)), np.full(3, 1 / 3)
    method = ready(normalise=normalise, projection=projection, rho=rho, beta=0.6, gamma=0.4)
    for t, (rows, values) in enumerate(batches(12), start=1):
        found = method.weighed(rows, values, ALL, SOUND)[0]
        g = rows.numpy()
        if normalise == "loss":
            g = g / np.linalg.norm(g, axis=1, keepdims=True) * values.numpy()[:, None]
        y = y - 0.6 / t**0.5 * (y - g)
        moved = share - 0.4 / t**0.5 * (y @ y.T + rho * np.eye(3)) @ share
        share = np.exp(moved) / np.exp(moved).sum() if projection == "softmax" else by_quadratic_program(moved)
        assert_close(found.numpy(), 3 * y.T @ share, rtol=1e-5, atol=1e-7)  # on the common scale
    assert method.shares.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("k", range(1, 9))
def test_the_nearest_point_of_the_simplex(k: int) -> None:
    for seed in range(10):
        point = 3 * torch.randn(k, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
        expected = torch.from_numpy(by_quadratic_program(point.numpy()))
        assert_close(nearest_in_simplex(point), expected, rtol=0, atol=1e-10)


def test_an_absent_task_keeps_its_gradient_and_its_share() -> None:
    method = ready(gamma=1.0)
    for rows, values in batches(5):
        method.weighed(rows, values, ALL, SOUND)[0]
    assert method.tracked.vectors is not None
    tracked, share = method.tracked.vectors[1].clone(), method.shares[1]
    for rows, values in batches(5):
        found = method.weighed(rows[[0, 2]], values[[0, 2]], (0, 2), SOUND)[0]
    assert torch.equal(method.tracked.vectors[1], tracked)
    assert method.shares[1] == share
    assert method.shares.sum().item() == pytest.approx(1)
    weights = 2 * method.shares[[0, 2]] / method.shares[[0, 2]].sum()
    assert_close(found, weights @ method.tracked.vectors[[0, 2]])
    assert method.seen.tolist() == [10, 5, 10]


def test_tasks_that_have_lost_all_weight_and_are_alone_share_it() -> None:
    method = ready()
    method.shares = torch.tensor([0.0, 1.0, 0.0], dtype=DOUBLE)
    rows, values = batches(1)[0]
    assert method.weighed(rows[[0, 2]], values[[0, 2]], (0, 2), SOUND)[0].norm() > 0
    assert method.shares.tolist() == [0, 1, 0]


def test_constant_gradients_lead_to_the_shortest_combination() -> None:
    """Which is what the weights of many steps on one batch approach."""
    rows = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=DOUBLE)
    method = MoCo(beta_decay=0.0, gamma_decay=0.0, raw_scale=True)
    method.setup(context(["a", "b"]))
    for _ in range(400):
        found = method.weighed(rows, torch.ones(2, dtype=DOUBLE), (0, 1), SOUND)[0]
    assert_close(found, torch.tensor([0.4, 0.8], dtype=DOUBLE), rtol=1e-4, atol=0)  # λ = 1/5, 4/5


def test_one_task_is_plain_descent_in_the_end() -> None:
    method = ready(beta=1.0, beta_decay=0.0)
    rows, values = batches(1)[0]
    assert_close(method.weighed(rows[:1], values[:1], (0,), SOUND)[0], rows[0])


def test_heads_descend_their_own_loss() -> None:
    problem, plain, method = toy(dtype=DOUBLE), toy(dtype=DOUBLE), MoCo()
    method.setup(problem.context)
    method.update(problem.step(0))
    losses = plain.step(0).losses()
    plain.step(0).backward(losses, torch.ones(3, dtype=DOUBLE))
    plain.machine.mover.optimizer.step()
    for k in ALL:
        for parameter, expected in zip(problem.machine.owned[k], plain.machine.owned[k], strict=True):
            assert_close(parameter, expected)


@pytest.mark.parametrize("options", [{"beta": 0.0}, {"beta": 1.5}, {"gamma": -0.1}, {"rho": -1.0}, {"beta_decay": -1}])
def test_ranges(options: dict[str, float]) -> None:
    with pytest.raises(BenchError, match=r"beta lies in \(0, 1\]"):
        ready(**options)


def test_unknown_choices() -> None:
    with pytest.raises(BenchError, match="one of simplex, softmax"):
        ready(projection="clip")


def test_a_record_learns_what_gradients_count() -> None:
    problem, method = toy(dtype=DOUBLE), MoCo()
    method.setup(problem.context)
    problem.train(method, [0, 1, 2])
    found = list(used_weights(problem.machine.ledger, problem.machine.names).values())
    assert found == pytest.approx((3 * method.shares).tolist())
    assert len(set(found)) == 3
