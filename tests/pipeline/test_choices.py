"""What the ways to choose conclude from records: against numbers worked out by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from mtl_bench.errors import BenchError
from mtl_bench.pipeline import Affinity, Exhaustive, HigherOrder, Need, RandomPartition
from mtl_bench.pipeline.trained import gains_of, pair_gains
from mtl_bench.records import Record
from tests.pipeline.made_up import record

TASKS = ("a", "b", "c")


def trained(groups: Sequence[dict[str, float]]) -> dict[Need, list[Record]]:
    return {Need(tuple(group)): [record(group)] for group in groups}


SINGLES = [{"a": 2.0}, {"b": 4.0}, {"c": 1.0}]
PAIRS = [{"a": 1.0, "b": 5.0}, {"a": 2.2, "c": 0.5}, {"b": 3.0, "c": 1.5}]


def test_gains_are_relative_changes_that_help_when_positive() -> None:
    assert gains_of(TASKS, trained([*SINGLES, *PAIRS]), "test")[(0, 1)] == pytest.approx([-100, 20])
    gains = gains_of(TASKS, trained([*SINGLES, *PAIRS]), "val")
    assert gains[(0,)] == [0.0]
    assert gains[(0, 1)] == pytest.approx([50, -25])
    assert gains[(0, 2)] == pytest.approx([-10, 50])
    matrix = pair_gains(gains, 3)
    assert matrix[1, 0] == pytest.approx(50)  # b helps a
    assert matrix[0, 1] == pytest.approx(-25)  # a hurts b
    assert matrix[0, 2] == pytest.approx(50)


def test_gains_against_baselines_below_zero() -> None:
    """Lower is better in these records: −2 → −2.5 gains 25, −4 → −3 loses 25."""
    found = trained([{"a": -2.0}, {"b": -4.0}, {"a": -2.5, "b": -3.0}])
    assert gains_of(TASKS, found, "val")[(0, 1)] == pytest.approx([25, -25])


def test_gains_are_means_over_seeds() -> None:
    found = trained(SINGLES) | {Need(("a", "b")): [record({"a": 1.0, "b": 4.0}), record({"a": 2.0, "b": 4.0})]}
    assert gains_of(TASKS, found, "val")[(0, 1)] == pytest.approx([25, 0])


def test_higher_order_predicts_a_triple_from_its_pairs() -> None:
    rule = HigherOrder()
    assert len(rule.needs(TASKS)) == 6
    choice = rule.choose(TASKS, 1, trained([*SINGLES, *PAIRS])).chosen
    assert choice.groups == ((0, 1, 2),)
    # a: (50 − 10)/2 = 20; b: (−25 + 25)/2 = 0; c: (50 − 50)/2 = 0
    assert choice.value == pytest.approx(20 / 3)


def test_higher_order_serves_each_task_from_the_pair_that_helps_it() -> None:
    """Gains 50 and −25 of {a, b}, −10 and 50 of {a, c}, 25 and −50 of {b, c}."""
    choice = HigherOrder().choose(TASKS, 2, trained([*SINGLES, *PAIRS])).chosen
    assert choice.groups == ((0, 1), (0, 2))
    assert choice.value == pytest.approx((50 - 25 + 50) / 3)


def test_exhaustive_takes_the_best_that_was_trained() -> None:
    rule = Exhaustive()
    assert len(rule.needs(TASKS)) == 7
    found = trained([*SINGLES, *PAIRS, {"a": 2.0, "b": 8.0, "c": 2.0}])
    choice = rule.choose(TASKS, 3, found).chosen
    assert set(choice.groups) == {(0, 1), (0, 2), (1, 2)}
    assert choice.value == pytest.approx((50 + 25 + 50) / 3)


def test_without_validation_nothing_is_chosen() -> None:
    found = {Need((task,)): [record({task: 1.0}, val={})] for task in TASKS}
    with pytest.raises(BenchError, match="groups are chosen on validation"):
        Exhaustive().choose(TASKS, 1, found)


def test_affinities_of_seeds_are_averaged_and_the_last_epoch_counts() -> None:
    rule = Affinity("affinity")
    (need,) = rule.needs(TASKS)
    assert need.measuring
    matrices = [[[None, 4, 0], [4, None, 0], [0, 0, None]], [[None, 0, 2], [0, None, 0], [2, 0, None]]]
    values = dict.fromkeys(TASKS, 1.0)
    found = {need: [record(values, [{"affinity": [[9] * 3] * 3}, {"affinity": matrix}]) for matrix in matrices]}
    choice = rule.choose(TASKS, 2, found)
    assert choice.matrix is not None
    np.testing.assert_allclose(choice.matrix[0, 1:], [2, 1])
    assert choice.chosen.groups == ((0, 1), (0, 2))
    assert choice.chosen.serving == (0, 0, 1)


def test_a_pair_is_averaged_over_the_seeds_that_measured_it() -> None:
    values = dict.fromkeys(TASKS, 1.0)
    need = Need(TASKS, measuring=True)
    matrices = [[[None, 4, None], [4, None, 0], [0, 0, None]], [[None, 0, 2], [0, None, 0], [2, 0, None]]]
    found = {need: [record(values, [{"affinity": matrix}]) for matrix in matrices]}
    matrix = Affinity("affinity").choose(TASKS, 2, found).matrix
    assert matrix is not None
    np.testing.assert_allclose(matrix[0, 1:], [2, 2])
    with pytest.raises(BenchError, match="No batch told how a acts on c"):
        Affinity("affinity").choose(TASKS, 2, {need: found[need][:1]})


def test_a_matrix_is_read_from_source_to_target() -> None:
    """a helps b and c, who hardly help anybody: both networks take a along. Read the other way, b would be taken."""
    matrix = [[None, 5, 5], [0, None, 1], [0, 1, None]]
    found = {Need(TASKS, measuring=True): [record(dict.fromkeys(TASKS, 1.0), [{"affinity": matrix}])]}
    selection = Affinity("affinity").choose(TASKS, 2, found).chosen
    assert selection.groups == ((0, 1), (0, 2))
    assert selection.value == pytest.approx(10 / 3)


@pytest.mark.parametrize("draw", range(5))
def test_random_groups_part_the_tasks_and_serve_them_all(draw: int) -> None:
    choice = RandomPartition(draw=draw).choose(TASKS, 2, {}).chosen
    assert sorted(task for group in choice.groups for task in group) == [0, 1, 2]
    assert all(task in choice.groups[by] for task, by in enumerate(choice.serving))
    again = RandomPartition(draw=draw).choose(TASKS, 2, {}).chosen
    assert (again.groups, again.serving) == (choice.groups, choice.serving)


def test_draws_differ() -> None:
    assert len({RandomPartition(draw=draw).choose(TASKS, 2, {}).chosen.groups for draw in range(20)}) == 3


def test_a_draw_is_a_whole_number() -> None:
    with pytest.raises(BenchError, match="draw is a whole number, 0 or more; got -1"):
        RandomPartition(draw=-1)
