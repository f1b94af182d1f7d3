"""All partitions: by hand, against counting assignments, and as the expectation of the random ones."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from mtl_bench.errors import BenchError
from mtl_bench.grouping import dealt, every_partition, random_partition


def test_three_tasks_in_two_groups() -> None:
    assert set(every_partition(3, 2)) == {((0, 1), (2,)), ((0, 2), (1,)), ((0,), (1, 2))}


@pytest.mark.parametrize(("tasks", "budget", "count"), [(1, 1, 1), (4, 1, 1), (4, 2, 7), (5, 3, 25), (7, 4, 350)])
def test_there_are_as_many_as_stirling_says_and_none_twice(tasks: int, budget: int, count: int) -> None:
    found = every_partition(tasks, budget)
    assert len(found) == len(set(found)) == count
    for groups in found:
        assert sorted(task for group in groups for task in group) == list(range(tasks))
        assert groups == tuple(sorted(groups))


def test_each_stands_for_equally_many_assignments() -> None:
    owners = [owner for owner in product(range(3), repeat=5) if len(set(owner)) == 3]
    counts = Counter(tuple(sorted(tuple(t for t in range(5) if o[t] == g) for g in range(3))) for o in owners)
    assert counts == dict.fromkeys(every_partition(5, 3), 6)  # 3! ways to number the groups


def test_a_random_partition_is_one_of_them() -> None:
    draws = {random_partition(4, 2, np.random.default_rng(seed)) for seed in range(100)}
    assert draws == set(every_partition(4, 2))


def test_a_budget_beyond_the_tasks_buys_one_group_each() -> None:
    assert every_partition(2, 5) == [((0,), (1,))]


@pytest.mark.parametrize(("tasks", "budget"), [(0, 1), (3, 0)])
def test_nothing_cannot_be_parted(tasks: int, budget: int) -> None:
    with pytest.raises(BenchError, match="at least one task and a budget of at least one"):
        every_partition(tasks, budget)


def test_a_dealt_task_is_served_by_its_group() -> None:
    choice = dealt(((0, 3), (1,), (2, 4)))
    assert choice.groups == ((0, 3), (1,), (2, 4))
    assert choice.serving == (0, 1, 2, 0, 2)
    assert np.isnan(choice.value)
