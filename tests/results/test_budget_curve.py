"""Budget curves against all orders, written out."""

from collections.abc import Sequence
from itertools import accumulate, permutations
from math import inf

import numpy as np
import pytest

from mtl_bench.records.entry import Study
from mtl_bench.results.budget_curve import budget_curve, expected_best


def study(*scores: float | None) -> Study:
    trials = [{"values": {}, "hash": str(n), "score": score} for n, score in enumerate(scores)]
    return {"tasks": [], "space": {}, "trials": trials, "winner": None}  # type: ignore[typeddict-item]


def over_all_orders(scores: Sequence[float]) -> np.ndarray:
    return np.mean([list(accumulate(order, max)) for order in permutations(scores)], axis=0)


def test_is_the_mean_over_all_orders() -> None:
    scores = [3.0, -1.0, 3.0, 0.5, -7.0]
    np.testing.assert_allclose(expected_best(scores), over_all_orders(scores))


def test_the_first_trial_comes_first_in_every_order() -> None:
    by_hand = np.mean([list(accumulate((0.5, *order), max)) for order in permutations([2.0, -3.0, 1.0])], axis=0)
    np.testing.assert_allclose(budget_curve(study(0.5, 2.0, -3.0, 1.0)), by_hand)


def test_a_trial_that_diverged_adds_nothing() -> None:
    np.testing.assert_allclose(budget_curve(study(1.0, None, 2.0)), [1.0, 1.5, 2.0])


def test_where_only_diverged_ones_can_have_come_there_is_no_best() -> None:
    curve = budget_curve(study(None, None, 2.0, 4.0))
    assert curve.tolist() == [-inf, -inf, pytest.approx(10 / 3), 4.0]
    assert budget_curve(study(1.5)).tolist() == [1.5]
