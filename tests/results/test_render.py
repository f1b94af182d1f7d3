"""What a reader sees: the terminal table, Markdown and the lines below both."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from mtl_bench.records import Record
from mtl_bench.results import Board, leaderboard, markdown, show
from mtl_bench.results.render import cells, headers, lines

Runs = Callable[..., list[Record]]


@pytest.fixture
def board(runs: Runs, single: Runs) -> Board:
    lost = runs("mgda", [70, 70, 70], [0.7, 0.7, 0.7])
    lost[2]["converged"] = False
    return leaderboard([*runs("ls", [83.9, 85.0, 86.1], [0.46, 0.45, 0.44]), *lost, *single()])


def printed(board: Board, width: int = 200) -> str:
    stream = io.StringIO()
    show(board, Console(file=stream, width=width))
    return stream.getvalue()


def test_headers_carry_unit_and_direction(board: Board) -> None:
    assert headers(board)[6:8] == ["left\naccuracy\n% ↑", "right\nabs_err\nm ↓"]


def test_cells_show_mean_and_half_width(board: Board) -> None:
    by_label = {row[0]: row for row in cells(board)}
    # t(0.975, 2) = 4.303; 1.1 / √3 · 4.303 = 2.73
    assert by_label["LS"][6] == "85.0 ±2.7"
    assert by_label["LS"][2].startswith("+8.12 ±")
    assert by_label["LS"][3] == "best"
    assert by_label["LS"][5] == "none"
    assert by_label["single-task"][2] == "reference"
    assert by_label["MGDA"][1:8] == ["2/3", "−26.25", "diverged", "right −40.00", "–", "70.0", "0.700"]


def test_terminal_and_markdown_show_the_same_rows(board: Board) -> None:
    terminal, page = printed(board), markdown(board)
    for row in cells(board):
        for text in row:
            assert text in terminal
            assert text in page
    assert f"**{cells(board)[0][2]}**" in page
    assert "| Method | Converged | Δm % ↑ |" in page
    assert page.count("\n| ") == 2 + len(board.rows)


def test_the_lines_below_say_what_intervals_cover_and_warn(board: Board, runs: Runs, single: Runs) -> None:
    text = " ".join(lines(board))
    assert "neither the sampling of the test set nor the choice of hyper-parameters" in text
    assert "Ranked last: not every seed of MGDA converged" in text
    assert "fewer than 3 seeds" not in text
    few = leaderboard([*runs("ls", [85, 86], [0.45, 0.44]), *single()])
    assert "Warning: fewer than 3 seeds: LS." in lines(few)


def test_a_command_survives_a_narrow_terminal(runs: Runs) -> None:
    """rich reads [left] as markup and folds long lines; a command must be copied as it is."""
    text = printed(leaderboard(runs("ls", [85, 86, 87], [0.45, 0.44, 0.43])), width=60)
    assert "`mtl-bench train -m experiment=digits 'only=[left],[right]' seed=0,1,2,3,4`" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_cell_is_cut_or_folded_at_any_width(board: Board, width: int) -> None:
    table = printed(board, width).split("Test values")[0]
    for row in cells(board):
        for text in row:
            assert text in table
    assert all(len(line.rstrip()) <= width for line in table.split("\n"))
    assert (table.count("MGDA") == 1) == (width > 100)  # in parts where it must be, and only there


def test_a_pipe_in_a_label_does_not_break_markdown(runs: Runs, single: Runs) -> None:
    named = [r | {"method": {"name": "ls", "label": "LS|a [b]"}} for r in runs("ls", [85, 86], [0.45, 0.44])]
    board = leaderboard([*named, *single()])
    assert "LS\\|a [b]" in markdown(board)
    assert "LS|a [b]" in printed(board)
