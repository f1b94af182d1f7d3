"""The intervals against arithmetic by hand and against simulated seeds."""

from math import isinf, sqrt

import numpy as np
import pytest
from scipy import stats

from mtl_bench.errors import BenchError
from mtl_bench.results import (
    Spread,
    difference,
    equivalent,
    holm,
    interval,
    mean_interval,
    paired_difference,
    pooled_spread,
)
from mtl_bench.results.intervals import merged


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


def wild_and_tame() -> tuple[dict[int, float], list[dict[int, float]]]:
    rng = np.random.default_rng(5)
    tame = [dict(enumerate(rng.normal(-2, 0.2, seeds))) for seeds in (3, 3, 3, 5, 3, 3, 4)]
    return {0: -3.0, 1: -57.0, 2: -30.0}, tame


def test_one_wild_method_is_left_out_of_the_pool_and_stands_on_its_own_seeds() -> None:
    wild, tame = wild_and_tame()
    alone, both = pooled_spread(tame), pooled_spread([tame[0], wild, *tame[1:]])
    assert alone is not None
    assert both is not None
    assert (both.variance, both.df, both.methods, both.equal) == (alone.variance, alone.df, alone.methods, alone.equal)
    assert (alone.out, both.out) == (0, 1)
    assert not both.holds(list(wild.values()))
    found = difference(tame[0], wild, both)
    assert found is not None
    shares = both.variance / 3, float(np.var(list(wild.values()), ddof=1)) / 3
    df = sum(shares) ** 2 / (shares[0] ** 2 / both.df + shares[1] ** 2 / 2)
    assert found.half == pytest.approx(stats.t.ppf(0.975, df) * sqrt(sum(shares)))
    assert difference(tame[0], tame[1], both) == difference(tame[0], tame[1], alone)


def test_of_two_methods_none_is_far_above_all_others() -> None:
    calm, wild = dict(enumerate(np.linspace(-0.3, 0.3, 20))), {0: 0.0, 1: 10.0}
    spread = pooled_spread([calm, wild])
    assert spread is not None
    assert (spread.methods, spread.out) == (2, 0)
    assert spread.holds(list(wild.values()))


def test_what_varies_beside_what_does_not_stands_on_its_own() -> None:
    spread = pooled_spread([{0: 1.0, 1: 1.0, 2: 1.0}, {0: 2.0, 1: 2.0, 2: 2.0}, {0: 0.0, 1: -30.0, 2: -60.0}])
    assert spread is not None
    assert (spread.variance, spread.methods, spread.out) == (0.0, 2, 1)


def test_equal_spreads_lose_a_method_in_one_board_of_a_hundred() -> None:
    rng, draws = np.random.default_rng(1), 400
    found = [pooled_spread([dict(enumerate(rng.normal(size=3))) for _ in range(20)]) for _ in range(draws)]
    lost = sum(one.out > 0 for one in found if one)
    assert lost < 0.025 * draws  # 0.01 and three standard errors


def test_a_pooled_spread_takes_the_place_of_the_methods_own() -> None:
    """As above, with variance 18 on 20 degrees of freedom for var(108, 112) = 8 on one."""
    method, single = [{"t": {"x": 54.0}}, {"t": {"x": 56.0}}], {"t": [{"x": 49.0}, {"x": 51.0}]}
    found = interval(method, single, {"t": {"x": True}}, "metric_mean", {"t": ["x"]}, Spread(18.0, 20, 7, None))
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
    assert difference({0: 1.0}, {0: 1.0, 1: 2.0}, Spread(1.0, 4, 2, None)) is None
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


def test_the_pooled_spread_of_two_methods_is_students_test() -> None:
    """Two samples with one variance: Student's two-sample t; a third method only sharpens the variance."""
    first, second, third = [10.0, 12.0, 11.5], [9.1, 8.9, 10.2, 9.9], [1.0, 1.4]
    tables = [dict(enumerate(values)) for values in (first, second, third)]
    spread = pooled_spread(tables[:2])
    assert spread is not None
    found = difference(*tables[:2], spread)
    assert found is not None
    expected = stats.ttest_ind(first, second)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert spread.equal == pytest.approx(stats.levene(first, second, center="median").pvalue)
    pooled = pooled_spread(tables)
    assert pooled is not None
    assert (pooled.df, pooled.methods, pooled.equal) == (2 + 3 + 1, 3, None)
    assert pooled.variance == pytest.approx((2 * np.var(first, ddof=1) + 3 * np.var(second, ddof=1) + 0.08) / 6)


def test_one_spread_of_two_boards() -> None:
    one, other = Spread(1.0, 4, 2, 0.5), Spread(4.0, 8, 3, 0.5)
    assert merged([one, other]) == Spread(3.0, 12, 5, None)
    assert merged([one]) == one


@pytest.mark.parametrize(("centre", "margin", "equal"), [(0.0, 1.0, True), (0.6, 1.0, False), (-0.6, 1.0, False)])
def test_equal_takes_two_one_sided_tests(centre: float, margin: float, equal: bool) -> None:
    """Each bound of the margin is rejected at 5 % by a one-sided t test of the same standard error."""
    spread = Spread(0.3, 20, 5, None)
    first, second = {0: centre - 1, 1: centre + 1, 2: centre}, {0: -1.0, 1: 1.0, 2: 0.0}
    gap = difference(first, second, spread)
    assert gap is not None
    error = np.sqrt(0.3 * 2 / 3)
    upper, lower = (stats.t.cdf((centre + sign * margin) / error, 20) for sign in (-1, 1))
    assert equivalent(gap, margin) == equal == (max(upper, 1 - lower) < 0.05)


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
