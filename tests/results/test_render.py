"""What terminal and Markdown share, and the Markdown."""

from mtl_bench.results import Board, leaderboard, markdown
from mtl_bench.results.render import cells, headers, lines
from tests.results.conftest import Runs


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


def test_markdown_shows_every_row(board: Board) -> None:
    page = markdown(board)
    for row in cells(board):
        for text in row:
            assert text in page
    assert f"**{cells(board)[0][2]}**" in page
    assert "| Method | Converged | Δm % ↑ |" in page
    assert page.count("\n| ") == 2 + len(board.rows)


def test_the_lines_below_say_what_intervals_cover_and_warn(board: Board, runs: Runs, single: Runs) -> None:
    text = " ".join(lines(board))
    assert "neither the sampling of the test set nor the choice of hyper-parameters" in text
    assert "Ranked last: not every seed of MGDA converged" in text
    few = leaderboard([*runs("ls", [85, 86], [0.45, 0.44]), *single(left=[80] * 5, right=[0.5] * 5)])
    assert "Warning: fewer than 5 seeds: LS (2)." in lines(few)
    assert "Warning: every row has fewer than 5 seeds." in lines(board)
    enough = leaderboard([*runs("ls", [85] * 5, [0.45] * 5), *single(left=[80] * 5, right=[0.5] * 5)])
    assert not any("fewer than" in line for line in lines(enough))


def test_a_pipe_in_a_label_does_not_break_markdown(runs: Runs, single: Runs) -> None:
    named = [r | {"method": {"name": "ls", "label": "LS|a [b]"}} for r in runs("ls", [85, 86], [0.45, 0.44])]
    board = leaderboard([*named, *single()])
    assert "LS\\|a [b]" in markdown(board)


def test_shares_stand_where_runs_had_diagnostics(runs: Runs, single: Runs) -> None:
    with_shares = runs("ls", [85, 86, 87], [0.45, 0.44, 0.43])
    for record, share in zip(with_shares, (0.2, 0.3), strict=False):  # the last seed had none
        record["shares"] = {"left": share, "right": 1 - share}
    board = leaderboard([*with_shares, *runs("uw", [80, 81], [0.5, 0.5]), *single()])
    shown = {row[0]: row[8:10] for row in cells(board)}
    assert headers(board)[8:10] == ["left\nshare\n%", "right\nshare\n%"]
    assert shown == {"LS": ["25.0", "75.0"], "UW": ["–", "–"], "single-task": ["–", "–"]}
    assert any(line.startswith("Share of task k: mean over the probed batches") for line in lines(board))


def test_no_share_no_column(board: Board) -> None:
    assert not any("share" in header for header in headers(board))
