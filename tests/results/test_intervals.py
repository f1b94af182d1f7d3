"""The intervals against arithmetic by hand and against simulated seeds."""

from math import isinf, sqrt

import numpy as np
import pytest
from scipy import stats

from mtl_bench.errors import BenchError
from mtl_bench.results import (
    Spread,
    difference,
    holm,
    interval,
    mean_interval,
    paired_difference,
    pooled_spread,
)


def test_two_seeds_by_hand() -> None:
    """B̄ = 50, M̄ = 55, Δm = 10; d = 100·M/50 ∈ {108, 112}, e = −100·55·B/50² ∈ {−107.8, −112.2}."""
    method = [{"t": {"x": 54.0}}, {"t": {"x": 56.0}}]
    found = interval(method, {"t": [{"x": 49.0}, {"x": 51.0}]}, {"t": {"x": True}}, "metric_mean", {"t": ["x"]})
    assert found is not None
    shares = (8 / 2, 9.68 / 2)  # var(108, 112) = 8, var(107.8, 112.2) = 9.68
    df = sum(shares) ** 2 / (shares[0] ** 2 + shares[1] ** 2)
    half = stats.t.ppf(0.975, df) * sqrt(sum(shares))
    assert found.df == pytest.approx(df)
    assert (found.low, found.high) == pytest.approx((10 - half, 10 + half))


def test_a_pooled_spread_takes_the_place_of_the_methods_own() -> None:
    """As above, with variance 18 on 20 degrees of freedom for var(108, 112) = 8 on one."""
    method, single = [{"t": {"x": 54.0}}, {"t": {"x": 56.0}}], {"t": [{"x": 49.0}, {"x": 51.0}]}
    found = interval(method, single, {"t": {"x": True}}, "metric_mean", {"t": ["x"]}, Spread(18.0, 20, 7, None, 20))
    assert found is not None
    shares = (18 / 2, 9.68 / 2)
    df = sum(shares) ** 2 / (shares[0] ** 2 / 20 + shares[1] ** 2)
    assert found.df == pytest.approx(df)
    assert found.half == pytest.approx(stats.t.ppf(0.975, df) * sqrt(sum(shares)))


@pytest.mark.parametrize(("higher_is_better", "centre"), [(True, 80), (False, -80)])
def test_two_seeds_below_zero_by_hand(higher_is_better: bool, centre: float) -> None:
    """B̄ = −0.5, M̄ = −0.1: d = 100·M/0.5 ∈ {−24, −16}, e = −100·(−0.1)·B/(−0.5·0.5) = −40·B ∈ {24, 16}."""
    method, single = [{"t": {"x": -0.12}}, {"t": {"x": -0.08}}], {"t": [{"x": -0.6}, {"x": -0.4}]}
    found = interval(method, single, {"t": {"x": higher_is_better}}, "metric_mean", {"t": ["x"]})
    assert found is not None
    half = stats.t.ppf(0.975, 2) * sqrt(32 / 2 + 32 / 2)  # var(−24, −16) = var(24, 16) = 32
    assert found.df == pytest.approx(2)
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))


def test_lower_is_better_mirrors_the_interval() -> None:
    method, single = [{"t": {"x": 54.0}}, {"t": {"x": 57.0}}], {"t": [{"x": 49.0}, {"x": 51.0}]}
    up = interval(method, single, {"t": {"x": True}}, "task_mean", {"t": ["x"]})
    down = interval(method, single, {"t": {"x": False}}, "task_mean", {"t": ["x"]})
    assert up is not None
    assert down is not None
    assert (down.low, down.high) == pytest.approx((-up.high, -up.low))


def test_coverage_where_baselines_are_below_zero() -> None:
    """R² of −0.5 that becomes −0.3, and a negative loss (lower is better) of −2 that becomes −2.5: +32.5 %."""
    rng, hits, draws = np.random.default_rng(3), 0, 1500
    for _ in range(draws):
        rows = np.array([-0.3, -2.5]) + np.array([0.02, 0.05]) * rng.standard_normal((4, 2))
        base = np.array([-0.5, -2.0]) + np.array([0.02, 0.05]) * rng.standard_normal((4, 2))
        found = interval(
            [{"a": {"r2": row[0]}, "b": {"nll": row[1]}} for row in rows],
            {"a": [{"r2": row[0]} for row in base], "b": [{"nll": row[1]} for row in base]},
            {"a": {"r2": True}, "b": {"nll": False}},
            "metric_mean",
            {"a": ["r2"], "b": ["nll"]},
        )
        assert found is not None
        hits += 32.5 in found
        assert found.half > 0
    assert 0.93 < hits / draws < 0.98


def test_no_interval_from_one_seed_of_method_or_single_task() -> None:
    one, two = [{"x": 1.0}], [{"x": 1.0}, {"x": 1.1}]
    for method, single in ((one, two), (two, one)):
        runs = [{"t": run} for run in method]
        assert interval(runs, {"t": single}, {"t": {"x": True}}, "metric_mean", {"t": ["x"]}) is None
    assert mean_interval([1.0]) is None
    assert paired_difference({0: 1.0, 1: 2.0}, {1: 1.0, 2: 5.0}) is None
    assert difference({0: 1.0}, {0: 1.0, 1: 2.0}, Spread(1.0, 4, 2, None, 4)) is None
    assert pooled_spread([{0: 1.0}, {1: 2.0}]) is None


def test_seeds_that_agree_to_the_bit_give_zero_width() -> None:
    found = interval([{"t": {"x": 2.0}}] * 2, {"t": [{"x": 1.0}] * 2}, {"t": {"x": True}}, "metric_mean", {"t": ["x"]})
    assert found is not None
    assert (found.low, found.high) == pytest.approx((100, 100))
    assert isinf(found.df)


def test_a_metric_that_is_missing_in_one_seed_is_refused() -> None:
    with pytest.raises(BenchError, match="'x' of task 't'"):
        interval([{"t": {"x": 1.0}}, {"t": {}}], {"t": [{"x": 1.0}] * 2}, {"t": {"x": True}}, "task_mean", {"t": ["x"]})


def test_mean_interval_is_student_t() -> None:
    values = [1.0, 2.0, 4.0]
    found = mean_interval(values)
    assert found is not None
    expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)


def test_difference_pairs_shared_seeds_only() -> None:
    """Paired, a shift common to both methods cancels; seed 9 has no partner."""
    first, second = {0: 10.0, 1: 20.0, 2: 30.0, 9: 1000.0}, {0: 9.1, 1: 18.9, 2: 29.0}
    found = paired_difference(first, second)
    assert found is not None
    expected = stats.ttest_rel([10, 20, 30], [9.1, 18.9, 29]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert 0 not in found


def test_p_value_is_that_of_the_t_test() -> None:
    for values in ([0.2, 0.5, 0.1], [-1.0, -2.0, 0.4, -0.3], [3.0, 3.1]):
        found = mean_interval(values)
        assert found is not None
        assert found.p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
        assert (found.p_value < 0.05) == (0 not in found)
    exact = [mean_interval(values) for values in ([0.5, 0.5], [0.0, 0.0])]
    assert [span.p_value for span in exact if span] == [0, 1]


def test_holm_by_hand() -> None:
    """0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, then never falling and at most 1."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
