"""Differences on a board against arithmetic by hand, tests of SciPy, and simulated boards."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from mtl_bench.results import Spread, difference, equivalent, pooled_spread
from mtl_bench.results.additive_model import additive_model
from mtl_bench.results.spread import merged


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
    assert (alone.apart, both.apart) == ((), (wild,))
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
    assert (spread.methods, spread.apart) == (2, ())
    assert spread.holds(list(wild.values()))


def test_what_varies_beside_what_does_not_stands_on_its_own() -> None:
    spread = pooled_spread([{0: 1.0, 1: 1.0, 2: 1.0}, {0: 2.0, 1: 2.0, 2: 2.0}, {0: 0.0, 1: -30.0, 2: -60.0}])
    assert spread is not None
    assert (spread.variance, spread.methods, len(spread.apart)) == (0.0, 2, 1)


def test_equal_spreads_lose_a_method_in_one_board_of_a_hundred() -> None:
    rng, draws = np.random.default_rng(1), 400
    found = [pooled_spread([dict(enumerate(rng.normal(size=3))) for _ in range(20)]) for _ in range(draws)]
    lost = sum(bool(one.apart) for one in found if one)
    assert lost < 0.025 * draws  # 0.01 and three standard errors


def test_two_methods_of_other_seeds_are_students_test() -> None:
    """Two samples with one variance: Student's two-sample t; a third method only sharpens the variance."""
    first, second, third = [10.0, 12.0, 11.5], [9.1, 8.9, 10.2, 9.9], [1.0, 1.4]
    tables = [dict(enumerate(first)), dict(enumerate(second, start=3)), dict(enumerate(third, start=7))]
    spread = pooled_spread(tables[:2])
    assert spread is not None
    assert (spread.model, spread.effective) == (None, spread.df)
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


def test_two_methods_of_the_same_seeds_are_the_paired_test() -> None:
    first, second = {0: 10.0, 1: 12.0, 2: 11.5, 3: 9.0}, {0: 9.1, 1: 10.9, 2: 10.2, 3: 8.5}
    spread = pooled_spread([first, second])
    assert spread is not None
    found = difference(first, second, spread)
    assert found is not None
    expected = stats.ttest_rel(list(first.values()), list(second.values()))
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high, found.df) == pytest.approx((interval.low, interval.high, 3))


def test_a_grid_by_hand() -> None:
    """Residuals ±1 around methods 0, 4, 8 and seeds −3, 0, 3: in the corners of the square, none in the middle."""
    noise = [[1, 0, -1], [0, 0, 0], [-1, 0, 1]]
    tables = [{seed: 4 * m + 3.0 * (seed - 1) + noise[m][seed] for seed in range(3)} for m in range(3)]
    spread = pooled_spread(tables)
    assert spread is not None
    assert spread.model is not None
    assert (spread.model.variance, spread.model.df) == pytest.approx((4 / 4, 4))
    of_seeds = 3 * 18  # of nine values
    assert spread.variance == pytest.approx((of_seeds + 4) / 6)
    assert spread.effective == pytest.approx((of_seeds + 4) ** 2 / (of_seeds**2 / 2 + 4**2 / 4))
    found = difference(tables[1], tables[0], spread)
    assert found is not None
    assert (found.centre, found.half) == pytest.approx((4.0, stats.t.ppf(0.975, 4) * sqrt(2 / 3)))


def test_what_a_seed_does_to_all_methods_cancels_where_one_has_more_seeds() -> None:
    """Seeds 3 and 4, which only the first has, are bad for whatever is trained."""
    seeds = [1.0, 0.0, -1.0, -2.0, -3.0]
    tables = [{s: level + seeds[s] for s in range(5 if level == 2 else 3)} for level in (2.0, 1.0, 0.0)]
    spread = pooled_spread(tables)
    assert spread is not None
    found = difference(tables[0], tables[1], spread)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((1, 1))


@pytest.mark.parametrize("seed_effect", [0.0, 2.0])
@pytest.mark.parametrize("seeds", [(3, 3), (5, 3)])
def test_differences_hold_the_true_value_in_95_percent(seed_effect: float, seeds: tuple[int, int]) -> None:
    """Of eight methods, whether seeds move all of them alike or not."""
    rng, hits, draws = np.random.default_rng(3), 0, 800
    counts = [*seeds, 3, 3, 3, 3, 3, 3]
    for _ in range(draws):
        shared = seed_effect * rng.normal(size=5)
        tables = [dict(enumerate(shared[:n] + rng.normal(size=n))) for n in counts]
        spread = pooled_spread(tables)
        assert spread is not None
        found = difference(tables[0], tables[1], spread)
        hits += found is not None and 0 in found
    assert 0.93 < hits / draws < 0.97


def test_one_spread_of_two_boards() -> None:
    """Whose seeds need not move together."""
    model = additive_model([{0: 1.0, 1: 2.0}, {0: 3.0, 1: 3.0}])
    one, other = Spread(1.0, 4, 2, 0.5, 4, model), Spread(4.0, 8, 3, 0.5, 8)
    assert merged([one, other]) == Spread(3.0, 12, 5, None, pytest.approx(9 / (1 / 9 / 4 + 64 / 9 / 8)))
    assert merged([one]) == one


@pytest.mark.parametrize(("centre", "margin", "equal"), [(0.0, 1.0, True), (0.6, 1.0, False), (-0.6, 1.0, False)])
def test_equal_takes_two_one_sided_tests(centre: float, margin: float, equal: bool) -> None:
    """Each bound of the margin is rejected at 5 % by a one-sided t test of the same standard error."""
    spread = Spread(0.3, 20, 5, None, 20)
    first, second = {0: centre - 1, 1: centre + 1, 2: centre}, {0: -1.0, 1: 1.0, 2: 0.0}
    gap = difference(first, second, spread)
    assert gap is not None
    error = np.sqrt(0.3 * 2 / 3)
    upper, lower = (stats.t.cdf((centre + sign * margin) / error, 20) for sign in (-1, 1))
    assert equivalent(gap, margin) == equal == (max(upper, 1 - lower) < 0.05)


def test_a_method_that_does_not_follow_its_seeds_is_apart_where_all_others_do() -> None:
    """Its whole variance is like theirs; beside the seeds it is four hundred times as large."""
    rng, seeds = np.random.default_rng(2), np.array([4.0, -4.0, 0.0, 3.0, -3.0])
    tables = [dict(enumerate(seeds + 0.2 * rng.normal(size=5))) for _ in range(8)]
    other = dict(enumerate(-seeds))
    spread = pooled_spread([*tables, other])
    assert spread is not None
    assert spread.apart == (other,)
    assert spread.holds(list(other.values()))
    assert not spread.judges(other)
    found = difference(tables[0], other, spread)
    assert found is not None
    assert found.half > 2


def test_every_seed_counts_in_a_difference_and_three_methods_close_a_circle() -> None:
    rng = np.random.default_rng(4)
    tables = [dict(enumerate(rng.normal(size=n))) for n in (5, 3, 3, 4)]
    spread = pooled_spread(tables)
    assert spread is not None
    gaps = [difference(tables[a], tables[b], spread) for a, b in ((0, 1), (1, 2), (0, 2))]
    centres = [gap.centre for gap in gaps if gap]
    assert centres[0] + centres[1] == pytest.approx(centres[2])


@pytest.mark.parametrize("counts", [(10, *[3] * 7), (5, *[3] * 9)])
def test_the_whole_spread_counts_one_seed_once(counts: tuple[int, ...]) -> None:
    """Intervals of a single mean hold the true value where seeds move all methods alike, on unbalanced boards."""
    rng, hits, draws = np.random.default_rng(5), 0, 600
    for _ in range(draws):
        shared = 4 * rng.normal(size=max(counts))
        tables = [dict(enumerate(shared[:n] + rng.normal(size=n))) for n in counts]
        spread = pooled_spread(tables)
        assert spread is not None
        variance, df = spread.share(list(tables[-1].values()))
        hits += abs(np.mean(list(tables[-1].values()))) <= stats.t.ppf(0.975, df) * sqrt(variance)
    assert 0.92 < hits / draws < 0.975
