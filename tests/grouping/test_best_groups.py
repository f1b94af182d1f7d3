"""The exact choice of groups against brute force and an integer program, its speed, and what it refuses."""

import time
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.optimize import Bounds, LinearConstraint, milp

from mtl_bench.errors import BenchError
from mtl_bench.grouping import (
    higher_order_approximation,
    pairwise_scores,
    random_partition,
    realised_value,
    select_groups,
)
from mtl_bench.grouping.scores import GroupScores

IMPOSSIBLE = -1e12


def matrix(tasks: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(tasks, tasks))


def brute_force(table: GroupScores, budget: int) -> float:
    sets = (s for size in range(1, budget + 1) for s in combinations(range(len(table.members)), size))
    return max(float(table.scores[list(chosen)].max(axis=0).mean()) for chosen in sets)


def integer_program(table: GroupScores, budget: int) -> float:
    """max Σ s_gj y_gj / K with y_gj ≤ x_g, Σ_g y_gj = 1, Σ x_g ≤ budget; x and y binary."""
    groups, K = table.members.shape
    pairs = np.argwhere(table.members)
    cost = np.concatenate([np.zeros(groups), -table.scores[table.members]])
    columns = groups + np.arange(len(pairs))
    opened = np.zeros((len(pairs), len(cost)))
    opened[np.arange(len(pairs)), columns] = 1
    opened[np.arange(len(pairs)), pairs[:, 0]] = -1
    served = np.zeros((K, len(cost)))
    served[pairs[:, 1], columns] = 1
    few = np.zeros((1, len(cost)))
    few[0, :groups] = 1
    constraints = [LinearConstraint(opened, ub=0), LinearConstraint(served, 1, 1), LinearConstraint(few, ub=budget)]
    options = {"mip_rel_gap": 0.0}
    found = milp(cost, constraints=constraints, integrality=np.ones(len(cost)), bounds=Bounds(0, 1), options=options)
    assert found.success
    return -float(found.fun) / K


@pytest.mark.parametrize(
    ("tasks", "budget"), [(1, 1), (2, 1), (2, 2), (3, 2), (4, 1), (4, 2), (4, 3), (4, 4), (5, 2), (5, 3)]
)
@pytest.mark.parametrize("seed", range(3))
def test_equals_brute_force(tasks: int, budget: int, seed: int) -> None:
    table = pairwise_scores(matrix(tasks, seed), single=-0.3)
    selection = select_groups(table, budget)
    assert selection.value == pytest.approx(brute_force(table, budget), rel=1e-12)
    assert len(selection.groups) <= budget
    rows = {tuple(np.flatnonzero(inside).tolist()): row for inside, row in zip(*table, strict=True)}
    assert selection.value == pytest.approx(
        np.mean([rows[selection.groups[g]][j] for j, g in enumerate(selection.serving)])
    )
    assert set(selection.serving) == set(range(len(selection.groups)))


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "budget"), [(9, 2), (9, 4), (11, 3)])
def test_equals_an_integer_program(tasks: int, budget: int) -> None:
    """Singles at −5 instead of −10⁶, which a solver's tolerances would not survive."""
    table = pairwise_scores(matrix(tasks, tasks + budget), single=-5.0)
    assert select_groups(table, budget).value == pytest.approx(integer_program(table, budget), abs=1e-6)


def test_mappings_arrays_tensors_and_tables_are_alike() -> None:
    affinity = matrix(4, 0)
    table = pairwise_scores(affinity)
    groups = [tuple(np.flatnonzero(inside).tolist()) for inside in table.members]
    mapping = {group[::-1]: table.scores[n, list(group[::-1])].tolist() for n, group in enumerate(groups)}
    expected = select_groups(affinity, 2)
    assert select_groups(table, 2) == select_groups(mapping, 2) == expected
    assert select_groups(torch.from_numpy(affinity).requires_grad_(), 2) == expected


def test_value_grows_with_the_budget_and_one_network_trains_all() -> None:
    affinity = matrix(7, 1)
    values = [select_groups(affinity, budget).value for budget in range(1, 8)]
    assert values == sorted(values)
    assert select_groups(affinity, 1).groups == (tuple(range(7)),)


def test_equal_sets_become_the_smallest() -> None:
    assert select_groups(np.ones((4, 4)), 3).groups == ((0, 1, 2, 3),)
    assert select_groups({(0, 1): [1.0, 1.0], (0,): [1.0], (1,): [1.0]}, 2).groups == ((0, 1),)


@pytest.mark.parametrize("unit", [1e-13, 1.0, 1e9])
def test_the_unit_of_the_scores_changes_no_choice(unit: float) -> None:
    affinity = matrix(6, 1)
    for budget in range(1, 5):
        assert select_groups(affinity * unit, budget)[:2] == select_groups(affinity, budget)[:2]


def test_a_group_may_train_a_task_that_another_serves() -> None:
    selection = select_groups({(0, 1): [5.0, 0.0], (1, 2): [1.0, 2.0], (0,): [0.0]}, 2)
    assert selection == (((0, 1), (1, 2)), (0, 1, 1), pytest.approx(8 / 3))


def test_scores_of_groups_are_means_over_the_other_members() -> None:
    affinity = matrix(4, 3)
    members, scores = pairwise_scores(affinity, single=[1.0, 2.0, 3.0, 4.0])
    assert members.shape == (15, 4)
    for inside, row in zip(members, scores, strict=True):
        group = np.flatnonzero(inside)
        for j in range(4):
            others = [affinity[i, j] for i in group if i != j]
            expected = -np.inf if j not in group else float(np.mean(others)) if others else j + 1.0
            assert row[j] == pytest.approx(expected)


def test_hoa_uses_pairs_of_a_task_with_its_partners() -> None:
    members, scores = higher_order_approximation([1.0, 2.0, 3.0], [[np.nan, 4, 6], [5, np.nan, 7], [8, 9, np.nan]])
    assert scores[members.sum(axis=1) == 3].tolist() == [[-5.0, -6.0, -8.5]]
    assert scores[0, 0] == -1.0


def test_random_partitions_cover_all_tasks() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        groups = random_partition(5, 3, generator)
        assert len(groups) == 3
        assert sorted(task for group in groups for task in group) == [0, 1, 2, 3, 4]
    assert random_partition(2, 9, generator) == ((0,), (1,))
    assert random_partition(20, 20, generator) == tuple((task,) for task in range(20))  # drawing would take an hour


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "seconds"), [(9, 0.05), (13, 1.5), (15, 10.0)])
def test_speed_for_five_groups(tasks: int, seconds: float) -> None:
    """Twice the bar, since machines that run tests are busy; the fastest of a few."""
    affinity = matrix(tasks, 0)
    times = []
    for _ in range(1 if tasks > 13 else 5):
        started = time.process_time()
        select_groups(affinity, 5)
        times.append(time.process_time() - started)
    assert min(times) < 2 * seconds


@pytest.mark.parametrize(
    ("scores", "budget", "words"),
    [
        (np.ones((3, 3)), 0, "budget"),
        (np.ones((3, 3)), True, "budget"),
        (np.ones((2, 3)), 1, "square"),
        (np.array([[0.0, np.nan], [1.0, 0.0]]), 1, "task 0 onto task 1 is not finite"),
        ([[0.0, 1.0], [1.0]], 1, "rows of equal length"),
        (pairwise_scores(np.ones((2, 2)), single=[np.nan, 0.0]), 1, "a score that is not finite"),
        ({(0, 2): [1.0, 1.0]}, 1, "without a gap"),
        ({(0, 1): [1.0]}, 1, "one finite score"),
        ({(0, 1): [1.0, np.inf]}, 1, "one finite score"),
        ({(0,): [1.0], (1,): [1.0]}, 1, "cover all 2 tasks"),
        ({}, 1, "without a gap"),
    ],
)
def test_what_it_refuses(scores: object, budget: int, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        select_groups(scores, budget)


def test_a_missing_result_is_named() -> None:
    with pytest.raises(BenchError, match=r"\(0, 1\)"):
        realised_value(select_groups(np.ones((2, 2)), 1), {(0,): [1.0]})
