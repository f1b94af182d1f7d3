"""The CSV of a board: its numbers, its places, and empty cells for what does not exist."""

import csv
from collections.abc import Mapping

from mtl_bench.results import Board, leaderboard
from mtl_bench.results.board_csv import board_csv
from mtl_bench.results.mean_ranks import complete_grid
from tests.results.conftest import Runs


def rows(text: str) -> Mapping[str, Mapping[str, str]]:
    return {row["method"]: row for row in csv.DictReader(text.splitlines())}


def test_numbers_and_empty_cells(board: Board) -> None:
    found = rows(board_csv(board))
    assert list(found) == ["LS", "single-task", "MGDA"]
    ls, single, lost = found.values()
    assert (ls["place"], ls["standing"], ls["delta_m"], ls["left.accuracy"]) == ("1", "best", "8.125", "85")
    assert float(ls["delta_m_low"]) < 8.125 < float(ls["delta_m_high"])
    assert (single["place"], single["delta_m"], single["worst_task"]) == ("", "0", "")
    assert (lost["place"], lost["converged"], lost["seeds"], lost["delta_m_low"]) == ("2", "2", "3", "")
    assert (lost["worst_task"], lost["worst_change"], lost["tasks_hurt"]) == ("right", "-40", "")
    assert (ls["definition"], ls["left.change"]) == (board.definition, "6.25")
    assert "mean_rank" not in ls
    assert ls["runs"] == "ls-hash"


def test_places_and_how_far_they_move(runs: Runs, single: Runs) -> None:
    board = leaderboard([*runs("a", [90] * 3, [0.6] * 3), *runs("b", [80] * 3, [0.48] * 3), *single()])
    text = board_csv(board, complete_grid([board], ["A", "B"], (0, 1, 2)))
    a = rows(text)["A"]
    assert [a[f"place{rest}"] for rest in ("", "_less_a_method_best", "_less_a_method_worst")] == ["2", "2", "2"]
    assert [a[f"place_less_a_task_{end}"] for end in ("best", "worst")] == ["1", "2"]
    assert [a["mean_rank"], a["mean_rank_place"], a["mean_rank_place_less_a_task_best"]] == ["1.5", "1.5", "1"]
    assert rows(text)["single-task"]["mean_rank"] == ""


def test_a_board_without_delta_m_has_no_places(runs: Runs) -> None:
    found = rows(board_csv(leaderboard(runs("a", [90] * 3, [0.6] * 3))))
    assert (found["A"]["place"], found["A"]["delta_m"], found["A"]["left.accuracy"]) == ("", "", "90")
