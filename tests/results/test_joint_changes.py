"""Changes by training together, by hand."""

from collections.abc import Callable
from math import inf, sqrt

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.results.joint_changes import joint_changes

Runs = Callable[..., list[Record]]


def test_both_directions_by_hand(single: Runs, runs: Runs) -> None:
    """Alone 79, 80, 81 (standard error 1/√3) and 0.49, 0.50, 0.51 (0.01/√3)."""
    left, right = joint_changes([*single(), *runs("ls", (83, 85), (0.59, 0.61))], "LS")
    assert (left.task, left.metric, left.alone, left.together) == ("left", "accuracy", (79, 80, 81), (83, 85))
    assert left.percent == pytest.approx(5)
    assert left.errors == pytest.approx(4 / sqrt(1 / 3 + 1))
    assert right.percent == pytest.approx(-20)  # an error that grew
    assert right.errors == pytest.approx(-0.1 / sqrt(0.01**2 / 3 + 0.01**2))


def test_one_seed_tells_nothing(single: Runs, runs: Runs) -> None:
    assert joint_changes([*single(left=(80,)), *runs("ls", (83, 85), (0.5, 0.5))], "LS")[0].task == "right"
    assert joint_changes([*single(), *runs("ls", (83,), (0.5,))], "LS") == []
    assert joint_changes(single(), "LS") == []


def test_runs_on_some_of_the_tasks_are_not_joint(single: Runs, runs: Runs) -> None:
    whole = [{**one, "tasks": ["left", "right", "third"]} for one in runs("ls", (83, 85), (0.59, 0.61))]
    pair = runs("ls", (1, 2), (3, 4))
    assert joint_changes([*single(), *pair, *whole], "LS") == joint_changes([*single(), *whole], "LS")


def test_seeds_that_agree(single: Runs, runs: Runs) -> None:
    found = joint_changes([*single((80, 80), (0.5, 0.5)), *runs("ls", (80, 80), (0.6, 0.6))], "LS")
    assert [one.errors for one in found] == [0, -inf]


def test_nothing_changes_relative_to_zero(single: Runs, runs: Runs) -> None:
    with pytest.raises(BenchError, match="single-task value of 'accuracy' of task 'left' is zero"):
        joint_changes([*single((-1, 1), (0.5, 0.5)), *runs("ls", (80, 80), (0.6, 0.6))], "LS")
