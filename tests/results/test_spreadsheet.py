"""CSV with every number in full."""

import csv
import io

import pytest

from mtl_bench.results import Board
from mtl_bench.results.spreadsheet import board_csv


def test_one_line_per_row_with_full_numbers(board: Board) -> None:
    lines = list(csv.DictReader(io.StringIO(board_csv(board))))
    assert [line["method"] for line in lines] == [row.label for row in board.rows]
    for line, row in zip(lines, board.rows, strict=True):
        assert float(line["left/accuracy"]) == row.metrics["left", "accuracy"].mean
        assert row.delta_m is not None
        assert float(line["delta_m"]) == row.delta_m.mean
        assert (line["seeds"], line["converged"]) == (str(len(row.seeds)), str(len(row.converged)))
        span = row.metrics["left", "accuracy"].interval
        assert (line["left/accuracy_low"] == "") == (span is None)
        assert float(line["passes_per_batch"]) == row.cost.passes
    best, *_ = lines
    assert best["vs_best"] == "best"
    assert best["tasks_hurt"] == "none"
    assert float(best["delta_m_low"]) < float(best["delta_m"]) < float(best["delta_m_high"])
    assert float(best["left/change"]) == pytest.approx(6.25)
