"""The solver behind MGDA, against enumeration of every support."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from jaxtyping import Float

from mtl_bench.methods.solvers.min_norm import min_norm


def enumerated(gramian: Float[np.ndarray, "k k"]) -> float:
    """min wᵀGw over the simplex: the best point among the minimisers on every face that lie inside it."""
    k = len(gramian)
    best = np.inf
    for size in range(1, k + 1):
        for face in map(list, combinations(range(k), size)):
            bordered = np.block([[gramian[np.ix_(face, face)], np.ones((size, 1))], [np.ones((1, size)), 0.0]])
            inside = np.linalg.lstsq(bordered, np.append(np.zeros(size), 1.0), rcond=None)[0][:size]
            if (inside >= -1e-12).all() and abs(inside.sum() - 1) < 1e-9:
                best = min(best, float(inside @ gramian[np.ix_(face, face)] @ inside))
    return best


@pytest.mark.parametrize("k", range(1, 8))
def test_equals_the_best_face(k: int) -> None:
    draw = np.random.default_rng(k)
    for columns in (1, k, 20):
        rows = draw.standard_normal((k, columns)) * 10.0 ** draw.uniform(-1, 1, (k, 1))
        weights, gap = min_norm(rows @ rows.T)
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1)
        assert weights @ rows @ rows.T @ weights == pytest.approx(enumerated(rows @ rows.T), rel=1e-8, abs=1e-12)
        assert gap < 1e-12


def test_forty_gradients_of_very_different_norms() -> None:
    """They need more exchanges than SciPy's default allows, which used to end a run."""
    draw = np.random.default_rng(0)
    for _ in range(50):
        rows = draw.standard_normal((40, 100)) * 10.0 ** draw.uniform(-3, 3, (40, 1))
        weights, gap = min_norm(rows @ rows.T)
        assert gap < 1e-9
        assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("k", [3, 11, 40])
def test_the_gap_is_that_of_exact_arithmetic_and_relative_to_the_optimum(k: int) -> None:
    """Norms from 10⁻³ to 10³: measured by the longest gradient, a solver may forget the shortest without a sign."""
    draw = np.random.default_rng(k)
    for _ in range(4):
        rows = draw.standard_normal((k, 2 * k)) * 10.0 ** draw.uniform(-3, 3, (k, 1))
        gramian = rows @ rows.T
        weights, said = min_norm(gramian)
        exact = [[Fraction(entry) for entry in row] for row in gramian.tolist()]
        parts = [Fraction(weight) for weight in weights.tolist()]
        products = [sum(a * b for a, b in zip(row, parts, strict=True)) for row in exact]
        value = sum(a * b for a, b in zip(parts, products, strict=True))
        assert float((value - min(products)) / value) < 1e-9
        assert said < 1e-9


def test_gradients_of_zero_share_the_weight() -> None:
    weights, gap = min_norm(np.diag([1.0, 0.0, 4.0, 0.0]))
    assert (weights.tolist(), gap) == ([0, 0.5, 0, 0.5], 0)


@pytest.mark.parametrize("spread", [1e-5, 0.1])
def test_rounding_of_float32_rows_is_not_a_failure(spread: float) -> None:
    """The Gramian of nearly parallel float32 rows is slightly asymmetric and indefinite."""
    draw = np.random.default_rng(0)
    for _ in range(20):
        rows = draw.standard_normal(50) + spread * draw.standard_normal((5, 50))
        gramian = rows @ rows.T
        rounding = 1e-7 * np.trace(gramian) * draw.standard_normal((5, 5))
        assert min_norm(gramian + rounding)[1] < 1e-12


def test_a_zero_gramian_gives_equal_weights() -> None:
    weights, gap = min_norm(np.zeros((4, 4)))
    assert weights.tolist() == [0.25] * 4
    assert gap == 0
