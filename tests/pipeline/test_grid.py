"""A complete grid of two tasks and two seeds, worked out by hand, and what is refused."""

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.pipeline.grid import Grid
from mtl_bench.records import Record
from tests.pipeline.made_up import record


def run(seed: int, **errors: float) -> Record:
    """The same errors on val and test."""
    return record(errors, seed=seed, test={task: {"error": value} for task, value in errors.items()})


RUNS = [run(0, a=3), run(1, a=5), run(0, b=10), run(1, b=10), run(0, a=2, b=10), run(1, a=3, b=20)]


def test_gains_of_means_and_of_each_seed() -> None:
    """Single-task means are 4 and 10; lower is better."""
    grid = Grid.of(RUNS)
    assert (grid.tasks, grid.seeds) == (("a", "b"), (0, 1))
    assert grid.test == grid.val
    assert grid.test[(0,)] == [0.0]
    assert grid.test[(0, 1)] == pytest.approx([37.5, -50])  # 4 → 2.5, 10 → 15
    first, second = grid.by_seed
    assert first[(0,)] == pytest.approx([25])  # the lucky seed of the single-task run gains on their mean
    assert first[(0, 1)] == pytest.approx([50, 0])
    assert second[(0, 1)] == pytest.approx([25, -100])


def test_the_order_of_records_does_not_matter() -> None:
    assert Grid.of(RUNS[::-1]) == Grid.of(RUNS)


def test_test_and_validation_are_kept_apart() -> None:
    grid = Grid.of([record({"a": 2.0}, seed=0), record({"b": 4.0}, seed=0), record({"a": 1.0, "b": 4.0}, seed=0)])
    assert grid.val[(0, 1)] == pytest.approx([50, 0])
    assert grid.test[(0, 1)] == pytest.approx([-100, 0])  # reciprocals


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ([], "There is no run here"),
        (RUNS[:-1], r"The group a, b was trained with seeds \[0\] instead of \[0, 1\]"),
        (RUNS[:3] + RUNS[4:], r"The group b was trained with seeds \[0\] instead"),
        ([*RUNS, RUNS[0]], r"The group a was trained with seeds \[0, 1, 0\] instead"),
        (RUNS[:2] + RUNS[4:], r"The group b was trained with seeds \[\] instead"),
    ],
)
def test_a_grid_with_a_hole_is_refused(runs: list[Record], told: str) -> None:
    with pytest.raises(BenchError, match=told):
        Grid.of(runs)
