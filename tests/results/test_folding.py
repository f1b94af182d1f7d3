"""Lines for a terminal."""

import pytest
from rich.cells import cell_len

from mtl_bench.results.folding import fill, fold

LABEL = "my_package.methods.Equalised (lr=0.001, weighting=uw)"


@pytest.mark.parametrize(
    ("text", "width", "folded"),
    [
        ("uw", 11, "uw"),
        ("round_robin (phase=1)", 16, "round_robin\n (phase=1)"),
        ("tag (measure=lookahead)", 16, "tag (measure=\n lookahead)"),
        ("segment_unsup2d", 11, "segment_\n unsup2d"),
        ("normal −9.45 ±2.21", 13, "normal\n −9.45 ±2.21"),  # and never between a mean and its ±
        ("normal\nwithin_11.25\n% ↑", 10, "normal\nwithin_\n 11.25\n% ↑"),  # nor inside a number
        ("lr=0.0001", 7, "lr=\n 0.0001"),
        ("Con-\nverged", 6, "Con-\nverged"),
    ],
)
def test_a_name_breaks_at_its_joints(text: str, width: int, folded: str) -> None:
    assert fold(text, width) == folded


@pytest.mark.parametrize("width", [3, 5, 11, 16, 30, 60])
@pytest.mark.parametrize("text", [LABEL, "x" * 70, "深度" * 20])
def test_nothing_is_lost_and_no_line_too_long(text: str, width: int) -> None:
    lines = fold(text, width).split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(map(cell_len, lines)) <= width


def test_a_command_is_one_word() -> None:
    command = "`mtl-bench train -m experiment=rooms 'only=[normal]'`"
    assert fill(f"Train them with {command}, then report.", 40) == f"Train them with\n{command},\nthen report."
    assert fill(f"Train them with {command}.", 80) == f"Train them with {command}."
    assert fill("a ` alone and a " + "x" * 9, 8) == "a `\nalone\nand a\nxxxxxxxx\nx"
