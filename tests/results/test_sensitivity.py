"""Places move by what is left out: a mean rank by rows and tasks, Δm by tasks alone."""

import pytest

from mtl_bench.results import Board, leaderboard
from mtl_bench.results.mean_ranks import complete_grid, mean_ranks
from mtl_bench.results.sensitivity import delta_m_scores, places, span_text
from tests.results.conftest import Runs

SEEDS = (0, 1, 2)


def made(runs: Runs, single: Runs, **values: tuple[float, float]) -> Board:
    records = [record for name, (a, b) in values.items() for record in runs(name, [a] * 3, [b] * 3)]
    return leaderboard([*records, *single()])


def test_a_mean_rank_moves_when_a_row_leaves(runs: Runs, single: Runs) -> None:
    """A: 1 and 4, B: 2 and 2, C: 3 and 1, D: 4 and 3. Means 2.5, 2, 2, 3.5; without D, A is 2, B 2, C 2."""
    found = made(runs, single, a=(90, 0.8), b=(80, 0.6), c=(70, 0.5), d=(60, 0.7))
    grid = complete_grid([found], ["A", "B", "C", "D"], SEEDS)
    assert mean_ranks(grid) == {"A": 2.5, "B": 2.0, "C": 2.0, "D": 3.5}
    moved = places(grid, mean_ranks)
    assert moved["A"].place == 3
    assert moved["A"].less_a_method[0] == 2  # three share places 1 to 3 without D
    assert moved["D"].less_a_method == (4, 4)
    assert moved["A"].less_a_task == (1, 4)
    assert moved["C"].less_a_task == (1, 3)


def test_delta_m_moves_with_tasks_and_never_with_rows(runs: Runs, single: Runs) -> None:
    found = made(runs, single, a=(90, 0.60), b=(80, 0.48), c=(70, 0.45))
    rows = [row for row in found.rows if not row.is_single_task]
    moved = places([(found.columns, rows)], delta_m_scores(found.definition))
    # Δm: A (12.5 − 20) / 2, B (0 + 4) / 2, C (−12.5 + 10) / 2
    assert {label: place.place for label, place in moved.items()} == {"B": 1, "C": 2, "A": 3}
    assert all(place.less_a_method == (place.place, place.place) for place in moved.values())
    assert moved["A"].less_a_task == (1, 3)
    assert moved["B"].less_a_task == (1, 2)
    assert moved["C"].less_a_task == (1, 3)


def test_metric_mean_weighs_tasks_by_their_metrics(runs: Runs, single: Runs) -> None:
    """A gains 12.5 % and loses 14 %: (12.5 − 14) / 2 < 0, and (2 · 12.5 − 14) / 3 > 0 where left has two metrics."""
    found = made(runs, single, a=(90, 0.57), b=(80, 0.5))
    rows = [row for row in found.rows if not row.is_single_task]
    grid = [((*found.columns, found.columns[0]), rows)]
    assert delta_m_scores("metric_mean")(grid) == {"A": 0, "B": 1}
    assert delta_m_scores("task_mean")(grid) == {"A": 1, "B": 0}


def test_a_diverged_row_stays_behind_whatever_is_left_out(board: Board) -> None:
    rows = [row for row in board.rows if not row.is_single_task]
    moved = places([(board.columns, rows)], delta_m_scores(board.definition))
    assert moved["MGDA"].place == 2
    assert moved["MGDA"].less_a_task == (2, 2)


def test_one_task_cannot_be_left_out(runs: Runs, single: Runs) -> None:
    found = made(runs, single, a=(90, 0.60), b=(80, 0.48))
    rows = [row for row in found.rows if not row.is_single_task]
    assert places([(found.columns[:1], rows)], delta_m_scores("task_mean"))["A"].less_a_task is None


@pytest.mark.parametrize(("span", "text"), [((1, 3), "1–3"), ((2.5, 2.5), "2.5"), (None, "–")])
def test_spans_read_briefly(span: tuple[float, float] | None, text: str) -> None:
    assert span_text(span) == text
