"""`mtl-bench rank SUITE`: mean ranks of the committed grids, and what an incomplete one says."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Type

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


def test_the_grid_of_a_suite_is_ranked(mtl_bench: Type) -> None:
    typed = mtl_bench("rank", "rooms", str(REFERENCE / "rooms"))
    assert typed.status == 0, typed.err
    assert "7 methods × 5 seeds, 9 metrics of rooms" in typed.words
    assert "MR of 7" in typed.out
    ranks = [float(found) for found in re.findall(r"^\w+ +(\d\.\d\d) ", typed.out, re.M)]
    assert len(ranks) == 7
    assert ranks == sorted(ranks)
    assert sum(ranks) / 7 == pytest.approx(4, abs=0.01)  # ranks 1 to 7, printed with two digits


def test_methods_can_be_left_out(mtl_bench: Type) -> None:
    typed = mtl_bench("rank", "rooms", str(REFERENCE / "rooms"), "--without", "dwa", "--without", "ls")
    assert "rooms less dwa, ls: 5 methods" in typed.words
    assert "MR of 5" in typed.out
    wrong = mtl_bench("rank", "rooms", str(REFERENCE / "rooms"), "--without", "dw")
    assert wrong.status == 1
    assert "The suite rooms has no method 'dw'" in wrong.sentence


def test_a_suite_with_variants_of_its_methods_has_no_ranks(mtl_bench: Type) -> None:
    typed = mtl_bench("rank", "trade_off", str(REFERENCE / "rooms_quick"))
    assert typed.status == 1
    assert "trade_off also sweeps over method.priorities, so that a method has several rows;" in typed.sentence


def test_an_incomplete_grid_names_what_to_train(mtl_bench: Type) -> None:
    """The folder holds one cell of another experiment."""
    typed = mtl_bench("rank", "rooms")
    assert typed.status == 1
    assert typed.sentence == ("mtl-bench: rooms is a grid on rooms, of which no record lies in these folders.")
    incomplete = mtl_bench("rank", "rooms", str(REFERENCE / "rooms" / "uw"))
    assert incomplete.status == 1
    assert "ls with seed 0 on rooms is not recorded; train it, or leave the method out." in incomplete.sentence
