"""The solver behind CAGrad: a certified optimum, from any side."""

import numpy as np
import pytest
from jaxtyping import Float

from mtl_bench.methods.solvers import conflict_averse as solver
from mtl_bench.methods.solvers.conflict_averse import conflict_averse


def gap(rows: Float[np.ndarray, "k P"], weights: Float[np.ndarray, "k"], c: float) -> float:
    """Between the smallest g_k · d and the best one, by the dual value of the mixture that the weights are made of."""
    k = len(rows)
    mean = rows.mean(axis=0)
    mixture = np.clip(weights - 1 / k, 0, None)
    mixture = mixture / mixture.sum() @ rows
    bound = mixture @ mean + c * np.linalg.norm(mean) * np.linalg.norm(mixture)
    return float(bound - (rows @ (weights @ rows)).min())


@pytest.mark.parametrize("k", [2, 3, 5, 11, 40])
def test_the_gap_is_closed_within_the_ball(k: int) -> None:
    draw = np.random.default_rng(k)
    for c in (0.01, 0.4, 0.99, 10.0):
        for _ in range(20):
            rows = draw.standard_normal((k, k + 3)) * 10 ** draw.uniform(-1, 1, (k, 1))
            weights, residual = conflict_averse(rows @ rows.T, c, np.full(k, 1 / k))
            unit = np.linalg.norm(rows.mean(axis=0)) * np.linalg.norm(rows, axis=1).max()
            assert residual < 1e-9
            assert abs(gap(rows, weights, c)) < 1e-8 * unit
            moved = np.linalg.norm((weights - 1 / k) @ rows)
            assert moved == pytest.approx(c * np.linalg.norm(rows.mean(axis=0)), rel=1e-6)


def test_two_tasks_in_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    problems = [draw.standard_normal((2, 4)) * 10 ** draw.uniform(-1, 1, (2, 1)) for _ in range(100)]
    half = np.full(2, 0.5)
    closed = [conflict_averse(rows @ rows.T, 0.4, half)[0] for rows in problems]
    monkeypatch.setattr(solver, "_pair", lambda *given: solver._mixtures(*given, half))
    for rows, weights in zip(problems, closed, strict=True):
        np.testing.assert_allclose(weights, conflict_averse(rows @ rows.T, 0.4, half)[0], rtol=1e-6, atol=1e-8)


def test_at_a_stationary_point_it_is_the_nearest_that_no_task_objects_to() -> None:
    """g₁ = −g₂ / 2 leaves ½ (g₁ + g₂) + …; no task can be better than at 0."""
    rows = np.array([[2.0, 0.0], [-1.0, 0.0], [0.0, 3.0]])
    weights, residual = conflict_averse(rows @ rows.T, 0.9, np.full(3, 1 / 3))
    np.testing.assert_allclose(weights @ rows, [0, 1], atol=1e-9)
    assert residual < 1e-9


def test_a_ball_that_does_not_reach_so_far() -> None:
    """Every mixture of two opposite gradients is one of them, so the ball's edge is best for the worse one."""
    rows = np.array([[4.0, 0.0], [-1.0, 0.0]])
    weights, residual = conflict_averse(rows @ rows.T, 0.5, np.full(2, 0.5))
    np.testing.assert_allclose(weights @ rows, [0.75, 0], atol=1e-9)  # of 1.5 ± 0.75
    assert residual < 1e-9


def test_no_ball_and_no_gradient() -> None:
    rows = np.random.default_rng(0).standard_normal((3, 4))
    preference = np.array([0.5, 0.3, 0.2])
    assert (conflict_averse(rows @ rows.T, 0.0, preference)[0] == preference).all()
    assert (conflict_averse(np.zeros((3, 3)), 0.4, preference)[0] == preference).all()
