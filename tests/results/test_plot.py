"""The Δm plot is written, whatever its rows hold, and refuses when there is nothing to draw."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.image import imread

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.results import leaderboard, plot_delta_m
from mtl_bench.results.intervals import Interval
from mtl_bench.results.plot import BETTER, OPEN

Runs = Callable[..., list[Record]]


def test_one_panel_per_board_with_every_kind_of_row(runs: Runs, single: Runs, tmp_path: Path) -> None:
    lost = runs("mgda", [70, 70, 70], [0.7, 0.7, 0.7])
    lost[2]["converged"] = False
    board = leaderboard([*runs("ls", [85, 86, 87], [0.45, 0.44, 0.43]), *runs("uw", [80], [0.5]), *lost, *single()])
    path = tmp_path / "delta_m.svg"
    plot_delta_m([board, leaderboard(runs("ls", [85], [0.45])), board], path)  # the second has no Δm
    drawing = path.read_text()
    assert 'id="axes_2"' in drawing
    assert 'id="axes_3"' not in drawing
    plot_delta_m([board], tmp_path / "delta_m.png")
    assert (tmp_path / "delta_m.png").read_bytes().startswith(b"\x89PNG")


def test_a_long_label_pushes_nothing_off_the_figure(runs: Runs, single: Runs, tmp_path: Path) -> None:
    board = leaderboard(
        [*runs("a_method_with_a_name_as_long_as_labels_get", [85, 86, 87], [0.45, 0.44, 0.43]), *single()]
    )
    plot_delta_m([board], tmp_path / "a.png")
    pixels = imread(tmp_path / "a.png")[..., :3]
    assert (pixels[:, :2] == 1).all()
    assert (pixels[:, -2:] == 1).all()


def test_no_delta_m_and_no_place_to_write_are_refused(runs: Runs, single: Runs, tmp_path: Path) -> None:
    methods = runs("ls", [85, 86, 87], [0.45, 0.44, 0.43])
    with pytest.raises(BenchError, match="No board has a Δm"):
        plot_delta_m([leaderboard(methods)], tmp_path / "a.png")
    board = leaderboard([*methods, *single()])
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "a.png", tmp_path / "a.nonsense"):
        with pytest.raises(BenchError, match="cannot be written"):
            plot_delta_m([board], path)


def test_a_dot_has_the_colour_of_its_verdict(runs: Runs, single: Runs, tmp_path: Path) -> None:
    """Which need not be that of the interval that is drawn."""
    board = leaderboard([*runs("ls", [85, 86, 87], [0.45, 0.44, 0.43]), *single()])
    vague = [replace(row, from_single=Interval(-1, 20, 40)) for row in board.rows if not row.is_single_task]
    drawn = []
    for shown in (board, replace(board, rows=tuple(vague))):
        plot_delta_m([shown], tmp_path / "a.svg")
        drawing = (tmp_path / "a.svg").read_text().lower()
        drawn.append([colour.lower() in drawing for colour in (BETTER, OPEN)])
    assert drawn == [[True, False], [False, True]]


def test_what_lies_far_off_stands_at_the_edge_with_its_number(runs: Runs, single: Runs, tmp_path: Path) -> None:
    near = [runs(f"m{n}", [80 - n, 81 - n, 82 - n], [0.5] * 3) for n in range(4)]
    far = runs("far", [10, 11, 12], [0.5] * 3)
    board = leaderboard([*far, *(record for found in near for record in found), *single()])
    texts, ends = [], []
    for shown in (board, replace(board, rows=tuple(row for row in board.rows if row.label != "FAR"))):
        plot_delta_m([shown], tmp_path / "a.svg")
        drawing = (tmp_path / "a.svg").read_text()
        texts.append("−43" in drawing)
        ends.append(re.findall(r"<!-- (−?\d+)\.?\d* -->", drawing)[0])
    assert texts == [True, False]
    assert int(ends[0].replace("−", "-")) > -15  # the axis is that of the others
