"""The solver behind UPGrad and DualProj, against a quadratic program and its closed form."""

import numpy as np
import pytest
from qpsolvers import solve_qp

from mtl_bench.methods.solvers.dual_cone import onto_dual_cone


@pytest.mark.parametrize("k", [2, 3, 5, 11])
def test_equals_a_quadratic_program(k: int) -> None:
    draw = np.random.default_rng(k)
    for _ in range(20):
        rows = draw.standard_normal((k, k + 2)) * 10 ** draw.uniform(-1, 1, (k, 1))
        gramian, start = rows @ rows.T, draw.random((3, k))
        found, residual = onto_dual_cone(gramian, start)
        assert residual < 1e-10
        for least, weights in zip(start, found, strict=True):
            expected = solve_qp(P=gramian, q=np.zeros(k), lb=least, solver="quadprog")
            np.testing.assert_allclose(weights @ rows, expected @ rows, atol=1e-7 * np.linalg.norm(rows))


def test_without_conflict_nothing_moves() -> None:
    rows = np.random.default_rng(0).random((4, 6))
    start = np.eye(4)
    found, residual = onto_dual_cone(rows @ rows.T, start)
    assert (found == start).all()
    assert residual == 0


@pytest.mark.parametrize("columns", [1, 3, 40])
def test_forty_tasks(columns: int) -> None:
    """Dependent gradients, and norms over six orders of magnitude."""
    draw = np.random.default_rng(columns)
    rows = draw.standard_normal((40, columns)) * 10 ** draw.uniform(-3, 3, (40, 1))
    found, residual = onto_dual_cone(rows @ rows.T, np.full((1, 40), 1 / 40))
    direction = found[0] @ rows
    assert residual < 1e-8
    assert (rows @ direction >= -1e-7 * np.linalg.norm(rows, axis=1) * np.linalg.norm(rows.mean(0))).all()


def test_opposite_and_zero_gradients() -> None:
    rows = np.random.default_rng(0).standard_normal((2, 5))
    matrix = np.vstack([rows, -rows[:1], np.zeros((1, 5))])
    found, residual = onto_dual_cone(matrix @ matrix.T, np.eye(4))
    assert residual < 1e-10
    np.testing.assert_allclose(found[[0, 2]] @ matrix, 0, atol=1e-12)
    assert found[:, 3].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("noise", [0, 1e-4, 1e-3])
def test_opposite_gradients_in_single_precision_make_no_long_step(k: int, noise: float) -> None:
    """A projection is never longer than what is projected, whatever rounding leaves of an angle of 180°."""
    for seed in range(20):
        draw = np.random.default_rng(seed)
        rows = draw.standard_normal((k, 2000)).astype(np.float32)
        rows[1] = -3 * rows[0] + noise * draw.standard_normal(2000)
        found, residual = onto_dual_cone((rows @ rows.T).astype(float), np.full((1, k), 1 / k))
        assert np.linalg.norm(found[0] @ rows) <= np.linalg.norm(rows.mean(axis=0)) * (1 + 1e-3)
        assert residual < 1e-8


def test_dependent_gradients_in_single_precision_are_no_failure() -> None:
    for seed in range(20):
        draw = np.random.default_rng(seed)
        rows = (draw.standard_normal((6, 2)) @ draw.standard_normal((2, 500))).astype(np.float32)
        assert onto_dual_cone((rows @ rows.T).astype(float), np.eye(6) / 6)[1] < 1e-8


@pytest.mark.parametrize("length", [1, 1 + 1 / 7, 3, 1000])
def test_two_opposite_gradients_in_single_precision_are_solved(length: float) -> None:
    """Rounding takes a cosine below −1, where ‖Gᵀw‖² would be negative: d is 0 all the same, and no failure."""
    for seed in range(60):
        row = np.random.default_rng(seed).standard_normal(50).astype(np.float32)
        rows = np.stack([row, np.float32(-length) * row])
        gramian = (rows @ rows.T).astype(float)
        for start in (np.eye(2) / 2, np.full((1, 2), 0.5)):
            found, residual = onto_dual_cone(gramian, start)
            assert residual < 1e-12
            assert np.linalg.norm(found @ rows) <= 1e-6 * np.linalg.norm(rows)
