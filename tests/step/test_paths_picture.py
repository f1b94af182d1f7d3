"""The script that draws every method's paths: which methods it leaves out, its table, and the picture."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mtl_bench.step.two_objectives import path
from scripts import two_objectives
from scripts.two_objectives import LEFT_OUT, Cell, Decided, Ended, cell, draw, made, names, page, paths, printed_cells

START = (-7.5, -0.5)


@pytest.mark.parametrize("name", [name for name, why in LEFT_OUT.items() if "with equal" not in why and "`" in why])
def test_what_is_left_out_goes_as_another_method(name: str) -> None:
    (other,) = re.findall(r"`(\w+)`", LEFT_OUT[name])
    own, same = (path(made(method), START, torch.optim.Adam, 0.1, 20) for method in (name, other))
    np.testing.assert_array_equal(own, same)


@pytest.mark.parametrize("name", names())
def test_whatever_is_drawn_can_be(name: str) -> None:
    visited = path(made(name), START, torch.optim.Adam, 0.1, 3, raised=20.0)
    assert len(visited) == 4
    assert np.isfinite(visited).all()


def test_a_path_ends_where_it_stands_still_or_has_left() -> None:
    for place, moves, length in (((0.0, 0.0), 0.01, None), ((0.0, 0.0), 1e-5, 30), ((0.0, -8.3), 1e-3, 30)):
        ended, taken = Ended(), None
        for number in range(40):
            if ended(np.array(place) + moves * number):
                taken = number + 1
                break
        assert taken == length
    assert Ended()(np.array([2e3, 0.0]))
    assert Ended()(np.array([np.nan, 0.0]))


def test_cells_count_the_starts_and_tell_the_last_arrival() -> None:
    on, off = np.array([[0.0, 5.0], [0.0, -8.3], [0.0, 5.0], [0.0, -8.3]]), np.array([[0.0, -8.3], [0.0, 5.0]])
    assert cell([on, on[1:2]]) == "2 (3)"
    assert cell([on, off]) == "1"


def test_every_printed_cell_is_read() -> None:
    cells = printed_cells()
    assert len(cells) == len({(cell.name, cell.lr) for cell in cells}) == 15
    assert Cell("ls", 0.1, 709) in cells
    assert Cell("ls", 0.001, None) in cells
    assert sum(cell.iterations is None for cell in cells) == 3


def test_a_path_is_decided_at_the_minimum_or_where_it_cannot_get_there() -> None:
    for places, decided in (
        ([(0.0, -8.3551)], [True]),
        ([(5.0, 5.0), (5.0, 4.9), (5.0, 4.9)], [False, False, True]),
        ([(0.0, 2e3)], [True]),
        ([(np.nan, 0.0)], [True]),
    ):
        judge = Decided()
        assert [judge(np.array(place)) for place in places] == decided


def test_the_picture_and_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_objectives, "names", lambda: ["ls"])
    monkeypatch.setattr(two_objectives, "ITERATIONS", {1.0: 4})
    monkeypatch.setattr(two_objectives, "SETTINGS", [("GD", 1.0), ("Adam", 1.0)])
    cells = [Cell("ls", 1.0, 22), Cell("ls", 0.1, None)]
    monkeypatch.setattr(two_objectives, "printed_cells", lambda: cells)
    monkeypatch.setattr(two_objectives, "LONGEST", 3)
    draw(tmp_path, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert np.unique(np.asarray(picture.convert("L"))).size > 5
    text = page(tmp_path)
    assert re.search(r"^\| `ls` \| \d \| \d \|\n\| all five starts, methods \| 0 \| 0 \|$", text, re.M)
    assert re.search(r"^\| `ls` \| 1 \| 23 \| 22 \|\n\| `ls` \| 0.1 \| – \| – \|$", text, re.M)
    kept = {"ls-GD-1.npz", "ls-Adam-1.npz", "ls-Adam-1-minimum.npy", "ls-Adam-0.1-minimum.npy"}
    assert {file.name for file in tmp_path.glob("*.np*")} == kept
    assert len(paths("ls", "GD", 1.0, tmp_path)) == 5
