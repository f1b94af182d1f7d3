"""Regrets and differences to random groups, worked out by hand for three tasks."""

from math import atan, pi

import numpy as np
import pytest

from mtl_bench.errors import BenchError
from mtl_bench.grouping import dealt
from mtl_bench.pipeline.regret import judge_choices, realised_gains
from mtl_bench.pipeline.trained import Gains

GAINS: Gains = {
    **{(task,): [0.0] for task in range(3)},
    (0, 1): [10.0, 2.0],
    (0, 2): [4.0, -6.0],
    (1, 2): [-2.0, 8.0],
    (0, 1, 2): [6.0, 6.0, 6.0],
}
SEEDS = [GAINS, {group: [2 * gain for gain in gains] for group, gains in GAINS.items()}]
POOR = {(0, 2): [9.0, 9.0], (1,): [0.0], (0, 1, 2): [1.0, -1.0, 1.0]}  # takes a with c, and b alone


def test_the_best_choice_has_no_regret() -> None:
    """{a, b} serves a (10), {a, b, c} serves b and c (6 each)."""
    found = judge_choices({}, GAINS, SEEDS, [1, 2])
    (choice,) = found["best", 2].choices
    assert choice.groups == ((0, 1), (0, 1, 2))
    assert found["best", 2].gain == pytest.approx(22 / 3)
    assert found["best", 2].regret.tolist() == [0, 0]
    assert found["best", 1].gain == pytest.approx(6)


def test_a_poor_choice_and_the_random_ones() -> None:
    """At two groups {a, c} and {b} give (4 − 6 + 0)/3; {a}, {b, c} give 2 and {a, b}, {c} give 4: 16/9 on average."""
    found = judge_choices({"poor": POOR}, GAINS, SEEDS, [2])
    assert found["poor", 2].choices[0].groups == ((1,), (0, 2))
    assert found["poor", 2].gain == pytest.approx(-2 / 3)
    assert found["poor", 2].regret == pytest.approx([8, 16])
    assert len(found["random", 2].choices) == 3
    assert found["random", 2].gain == pytest.approx(16 / 9)
    assert found["random", 2].regret == pytest.approx([50 / 9, 100 / 9])


def test_the_difference_to_random_is_paired_and_corrected() -> None:
    """Per seed −22/9 and −44/9: their mean is three of its standard errors below 0, with one degree of freedom."""
    alone = judge_choices({"poor": POOR}, GAINS, SEEDS, [1, 2])
    span, p = alone["poor", 2].over_random, 1 - 2 * atan(3) / pi
    assert span is not None
    assert (span.centre, span.df) == pytest.approx((-11 / 3, 1))
    assert span.p_value == pytest.approx(p)
    assert alone["poor", 2].adjusted == pytest.approx(p)
    twice = judge_choices({"poor": POOR, "again": POOR}, GAINS, SEEDS, [2])
    assert twice["poor", 2].adjusted == pytest.approx(2 * p)  # Holm: the smaller of two counts twice
    assert twice["again", 2].adjusted == pytest.approx(2 * p)


def test_nothing_is_compared_where_nothing_is_chosen() -> None:
    found = judge_choices({"poor": POOR}, GAINS, SEEDS, [1, 2])
    assert [way for way, judged in found.items() if judged.adjusted is not None] == [("poor", 2)]


def test_one_seed_has_no_interval() -> None:
    found = judge_choices({"poor": POOR}, GAINS, [GAINS], [2])["poor", 2]
    assert (found.over_random, found.adjusted) == (None, 1.0)
    assert found.regret == pytest.approx([8])


def test_gains_of_several_choices_are_averaged_per_seed() -> None:
    choices = [dealt(((0, 1), (2,))), dealt(((0,), (1, 2)))]
    np.testing.assert_allclose(realised_gains(choices, SEEDS), [3, 6])


def test_what_cannot_be_judged() -> None:
    with pytest.raises(BenchError, match="'best' is compared with anyway"):
        judge_choices({"best": POOR}, GAINS, SEEDS, [2])
    with pytest.raises(BenchError, match="at least one seed"):
        judge_choices({"poor": POOR}, GAINS, [], [2])
    with pytest.raises(BenchError, match="no result for group"):
        judge_choices({"poor": POOR}, GAINS, [{(0, 1, 2): [1.0, 1.0, 1.0]}], [2])
