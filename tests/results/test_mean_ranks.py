"""Mean ranks by hand, what an incomplete grid says, and the probability that one method beats another."""

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.results import leaderboard, leaderboards
from mtl_bench.results.appearances import appearances
from mtl_bench.results.mean_ranks import better_than_next, complete_grid, mean_ranks, probability_better, wins
from tests.results.conftest import Runs

SEEDS = (0, 1, 2)


def test_mean_ranks_by_hand_with_ties_shared(runs: Runs, single: Runs) -> None:
    """Accuracy ↑: A 3rd, B and C share 1.5. Error ↓: A 1st, B 2nd, C 3rd."""
    board = leaderboard(
        [*runs("a", [70] * 3, [0.4] * 3), *runs("b", [80] * 3, [0.5] * 3), *runs("c", [80] * 3, [0.6] * 3), *single()]
    )
    ranks = mean_ranks(complete_grid([board], ["A", "B", "C"], SEEDS))
    assert ranks == {"A": 2.0, "B": 1.75, "C": 2.25}


def test_seeds_outside_the_grid_do_not_count(runs: Runs, single: Runs) -> None:
    board = leaderboard([*runs("a", [70, 70, 70, 99], [0.4] * 4), *runs("b", [75] * 3, [0.4] * 3), *single()])
    assert mean_ranks(complete_grid([board], ["A", "B"], SEEDS)) == {"A": 1.75, "B": 1.25}


def test_an_incomplete_grid_names_the_cell(runs: Runs, single: Runs) -> None:
    lost = runs("lost", [80] * 3, [0.5] * 3)
    lost[1]["converged"] = False
    board = leaderboard([*runs("a", [80] * 3, [0.5] * 3), *lost, *single()])
    with pytest.raises(BenchError, match="A with seed 3 on digits is not recorded"):
        complete_grid([board], ["A"], range(4))
    with pytest.raises(BenchError, match="B with seed 0 on digits is not recorded"):
        complete_grid([board], ["A", "B"], SEEDS)
    with pytest.raises(BenchError, match="LOST with seed 1 on digits did not converge"):
        complete_grid([board], ["A", "LOST"], SEEDS)


def test_a_method_is_found_by_its_name_where_one_row_carries_it(runs: Runs, single: Runs) -> None:
    first, second = (
        [one | {"method": {"name": "c", "label": f"c (phase={n})"}} for one in runs("c", [80] * 3, [0.5] * 3, hash=n)]
        for n in "12"
    )
    board = leaderboard([*first, *single()])
    assert complete_grid([board], ["c"], SEEDS)[0][1][0].label == "c (phase=1)"
    plain = [one | {"method": {"name": "c", "label": "c"}} for one in runs("c", [80] * 3, [0.5] * 3)]
    grid = complete_grid([leaderboard([*plain, *single()]), board], ["c"], SEEDS)
    assert [row.label for _, rows in grid for row in rows] == ["c or c (phase=1)"] * 2
    both = leaderboard([*first, *second, *single()])
    assert both.row_of("c") is None
    assert both.row_of("c (phase=2)") is not None


def test_a_method_is_the_row_with_the_options_of_its_yaml(runs: Runs, single: Runs) -> None:
    """Whatever else of it is on the board, its class's own defaults too."""
    labels = ("c (phase=1)", "c (phase=1, rate=2)", "c")
    several = [
        record | {"method": {"name": "c", "label": label}}
        for label in labels
        for record in runs("c", [80] * 3, [0.5] * 3, hash=label)
    ]
    records = [*several, *runs("a", [70] * 3, [0.4] * 3), *single()]
    (board,) = leaderboards(records, label_of=lambda name: f"{name} (phase=1)")
    assert complete_grid([board], ["c"], SEEDS)[0][1][0].label == "c (phase=1)"
    assert [one.row.label for one in appearances("c", [board])] == ["c (phase=1)"]
    assert all(row == board.row_of(row.label) for row in board.rows if row.label != "c")
    (board,) = leaderboards(records)
    assert complete_grid([board], ["c"], SEEDS)[0][1][0].label == "c"


def test_several_rows_of_a_method_are_named(runs: Runs, single: Runs) -> None:
    several = [
        record | {"method": {"name": "c", "label": f"c (phase={n})"}}
        for n in "12"
        for record in runs("c", [80] * 3, [0.5] * 3, hash=n)
    ]
    with pytest.raises(BenchError, match=r"digits has several rows of c and none as it comes: c \(phase=1\), c \(ph"):
        complete_grid([leaderboard([*several, *runs("a", [70] * 3, [0.4] * 3), *single()])], ["A", "c"], SEEDS)


def test_wins_counts_pairs() -> None:
    assert wins([3, 1], [2, 2, 0]) == pytest.approx(4 / 6)  # 3 beats all three, 1 beats 0
    assert wins([2], [2, 1]) == pytest.approx(0.75)
    assert wins([3, 1], [2, 2, 0], higher_is_better=False) == pytest.approx(2 / 6)


def test_probability_is_over_seeds_and_metrics(runs: Runs, single: Runs) -> None:
    board = leaderboard([*runs("a", [81, 79, 85], [0.4, 0.5, 0.6]), *runs("b", [80] * 3, [0.5] * 3), *single()])
    a, b = (next(row for row in board.rows if row.label == label) for label in "AB")
    assert probability_better(a, b, board.columns) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert probability_better(b, a, board.columns) == pytest.approx(1 - (2 / 3 + 1 / 2) / 2)
    grid = complete_grid([board, board], ["A", "B"], SEEDS)
    chances = better_than_next(grid, mean_ranks(grid))
    assert chances == {"A": pytest.approx((2 / 3 + 1 / 2) / 2)}
