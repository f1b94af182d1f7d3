"""Rank correlations of a matrix with gains, by hand."""

import numpy as np
import pytest

from mtl_bench.errors import BenchError
from mtl_bench.pipeline.prediction import correlation_with_groups, correlation_with_pairs

NAN = float("nan")
MATRIX = np.array([[NAN, 1, 2], [3, NAN, 4], [5, 6, NAN]])  # [source, target]


def test_pairs_by_hand() -> None:
    """The two lowest of six change places: 1 − 6·(1 + 1)/(6·35)."""
    gains = np.array([[0, 20, 10], [30, 0, 40], [50, 60, 0]])
    assert correlation_with_pairs(MATRIX, gains) == pytest.approx(1 - 12 / 210)
    assert correlation_with_pairs(MATRIX, -MATRIX) == pytest.approx(-1)


def test_the_diagonal_says_nothing() -> None:
    loud = np.where(np.eye(3, dtype=bool), 1e6, MATRIX)
    assert correlation_with_pairs(loud, MATRIX) == pytest.approx(1)


def test_pairs_that_nobody_measured_are_left_out() -> None:
    gaps = MATRIX.copy()
    gaps[0, 1] = NAN
    assert correlation_with_pairs(gaps, -MATRIX) == pytest.approx(-1)


def test_groups_by_hand() -> None:
    """In the group of three a is predicted as (3 + 5)/2, b as (1 + 6)/2 and c as (2 + 4)/2."""
    predicted = {(0, 1): [3.0, 1.0], (0, 2): [5.0, 2.0], (1, 2): [6.0, 4.0], (0, 1, 2): [4.0, 3.5, 3.0]}
    alone = {(task,): [1e6] for task in range(3)}  # of which a matrix says nothing
    assert correlation_with_groups(MATRIX, {**alone, **predicted}) == pytest.approx(1)
    assert correlation_with_groups(MATRIX, {(0, 1, 2): [1.0, 2.0, 3.0]}) == pytest.approx(-1)
    assert correlation_with_groups(MATRIX, {(1, 0): [1.0, 3.0], (2, 1): [4.0, 6.0]}) == pytest.approx(1)


def test_no_order_no_correlation() -> None:
    assert correlation_with_pairs(np.ones((3, 3)), MATRIX) is None
    assert correlation_with_groups(MATRIX, {(0, 1): [1.0, 1.0]}) is None
    assert correlation_with_groups(MATRIX, {(0,): [1.0]}) is None


def test_groups_need_every_pair() -> None:
    with pytest.raises(BenchError, match="is not finite"):
        correlation_with_groups(np.full((3, 3), NAN), {(0, 1): [1.0, 2.0]})
