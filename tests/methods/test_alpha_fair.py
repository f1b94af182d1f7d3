"""The solver behind Nash-MTL and FairGrad: its residual on every kind of Gramian, closed form, powers, stationarity.

The bar is |w ∘ Gw − 1| ≤ 1e-8 on 10,000 random conflicting Gramians: with COUNT = 10,000 (a minute) it was 8.4e-11 at
most on the 8,281 with a solution, by a mixture of unit gradients that is nowhere shorter than 1e-3.
"""

import numpy as np
import pytest
from jaxtyping import Float

from mtl_bench.methods.solvers import alpha_fair as solver
from mtl_bench.methods.solvers.alpha_fair import BOUND, alpha_fair
from mtl_bench.methods.solvers.cosines import cosines_of
from mtl_bench.methods.solvers.min_norm import min_norm

COUNT = 1000


def conflicting(count: int) -> list[Float[np.ndarray, "k k"]]:
    """K of 2 to 11, any rank, norms over up to six orders of magnitude."""
    draw, found = np.random.default_rng(0), []
    while len(found) < count:
        k = int(draw.integers(2, 12))
        rows = draw.standard_normal((k, int(draw.integers(1, 2 * k + 4))))
        rows *= 10 ** draw.uniform(-1, 1, (k, 1)) ** int(draw.integers(0, 4))
        gramian = rows @ rows.T
        if (gramian < 0).any():
            found.append(gramian)
    return found


def shortest_mixture(gramian: Float[np.ndarray, "k k"]) -> float:
    """Of unit gradients: 0 says that there is no solution."""
    cosines, _ = cosines_of(gramian)
    weights, _ = min_norm(cosines)
    return float(np.sqrt(max(weights @ cosines @ weights, 0.0)))


def missed(gramian: Float[np.ndarray, "k k"], weights: Float[np.ndarray, "k"], alpha: float = 1.0) -> float:
    return float(np.abs(gramian @ weights * weights ** (1 / alpha) - 1).max())


def test_every_conflicting_gramian_with_a_solution_is_solved() -> None:
    solved = 0
    for gramian in conflicting(COUNT):
        weights, residual = alpha_fair(gramian, 1.0, np.ones(len(gramian)))
        assert weights.min() > 0
        assert residual <= BOUND
        if shortest_mixture(gramian) > 1e-3:
            assert missed(gramian, weights) <= 1e-8
            solved += 1
    assert solved > 0.6 * COUNT


@pytest.mark.parametrize("alpha", [0.5, 2.0, 5.0])
def test_other_fairness(alpha: float) -> None:
    for gramian in conflicting(COUNT // 5):
        if shortest_mixture(gramian) > 0.05:
            weights, residual = alpha_fair(gramian, alpha, np.ones(len(gramian)))
            assert residual <= BOUND
            assert missed(gramian, weights, alpha) <= 1e-6  # with rounding, which grows with the spread of weights


def test_two_tasks_in_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    problems = [(draw.standard_normal((2, 3)) * 10 ** draw.uniform(-3, 3, (2, 1)), draw.random(2)) for _ in range(200)]
    closed = [alpha_fair(rows @ rows.T, 1.0, powers) for rows, powers in problems]
    monkeypatch.setattr(solver, "_pair", lambda inner: solver._newton(inner, inner.diagonal().copy(), 1.0))
    for (rows, powers), (weights, residual) in zip(problems, closed, strict=True):
        np.testing.assert_allclose(weights, alpha_fair(rows @ rows.T, 1.0, powers)[0], rtol=1e-7)
        assert residual < 1e-12
        np.testing.assert_allclose(weights * (rows @ rows.T @ weights), powers, rtol=1e-7)


def test_powers() -> None:
    for gramian in conflicting(50):
        k = len(gramian)
        powers = np.arange(1.0, k + 1)
        if shortest_mixture(gramian) > 0.01:
            weights, _ = alpha_fair(gramian, 2.0, powers)
            np.testing.assert_allclose(gramian @ weights, (powers / weights) ** 0.5, rtol=1e-6)
            powers[0] = 0
            weights, _ = alpha_fair(gramian, 1.0, powers)
            assert weights[0] == 0
            np.testing.assert_allclose((weights * (gramian @ weights))[1:], powers[1:], rtol=1e-6)


def test_without_a_solution_it_is_solved_with_a_ridge() -> None:
    rows = np.random.default_rng(0).standard_normal((3, 6))
    for matrix in (np.vstack([rows, -rows[:1]]), np.vstack([rows[:1], -2 * rows[:1]]), np.vstack([rows, -rows.sum(0)])):
        weights, residual = alpha_fair(matrix @ matrix.T, 1.0, np.ones(len(matrix)))
        assert residual <= BOUND
        assert np.isfinite(weights).all()
        assert np.linalg.norm(weights @ matrix) <= np.sqrt(len(matrix)) * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_rounding_of_float32_rows_is_not_a_failure(seed: int) -> None:
    """Nearly opposite float32 rows: the Gramian may be indefinite."""
    draw = np.random.default_rng(seed)
    row = draw.standard_normal(50).astype(np.float32)
    rows = np.stack([row, -row * np.float32(1 + 1e-6), *draw.standard_normal((2, 50)).astype(np.float32)])
    gramian = (rows @ rows.T).astype(float)
    gramian[0, 1] = gramian[1, 0] = gramian[0, 1] * (1 + 1e-6)
    weights, residual = alpha_fair(gramian, 1.0, np.ones(4))
    assert residual <= BOUND
    assert np.isfinite(weights).all()


def test_nothing_to_bargain_about() -> None:
    assert alpha_fair(np.zeros((3, 3)), 1.0, np.ones(3))[0].tolist() == [0, 0, 0]
    weights, residual = alpha_fair(np.diag([4.0, 0.0]), 1.0, np.ones(2))
    assert (weights.tolist(), residual) == ([0.5, 0.0], 0.0)
