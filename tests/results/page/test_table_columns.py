"""The page's table holds the terminal's, text for text."""

from dataclasses import replace

import pytest

from mtl_bench.results import Board
from mtl_bench.results.page import table_columns
from mtl_bench.results.page.definitions import Ranking, rankings
from mtl_bench.results.page.table_columns import PageColumn, page_columns, sort_value
from mtl_bench.results.render import cells, headers


@pytest.fixture
def columns(toys: Board) -> list[PageColumn]:
    return page_columns(toys, rankings(toys), {"ls": 1.0, "even": 2.5})


def test_every_text_of_the_terminal_is_there_in_its_order(toys: Board, columns: list[PageColumn]) -> None:
    texts = [tuple(cell.text for cell in column.cells) for column in columns if column.group != "definitions"]
    assert texts[:-2] == list(zip(*cells(toys), strict=True))[1:]
    seconds = "Seconds\nof these runs / the plain sum’s"
    assert [(column.header, column.group) for column in columns[-2:]] == [
        ("Passes\n/ batch", "always"),
        (seconds, "costs"),
    ]
    assert [cell.text for cell in columns[-1].cells].count("–") == len(toys.rows) - 2


def test_without_a_machine_that_trained_both_no_column_of_seconds_stands_empty(toys: Board) -> None:
    assert page_columns(toys, rankings(toys), {"even": None})[-1].header == "Passes\n/ batch"


def test_other_definitions_stand_beside_and_mark_what_moves(toys: Board, columns: list[PageColumn]) -> None:
    other = next(column for column in columns if column.header.startswith("metric_mean"))
    assert columns[columns.index(other) - 1].kind == "delta"
    notes = {row.label: cell.note for row, cell in zip(toys.rows, other.cells, strict=True)}
    assert (notes["even"], notes["skew (a=1)"], notes["ls"]) == ("▼1", "▲1", "")
    hints = {row.label: cell.hint for row, cell in zip(toys.rows, other.cells, strict=True)}
    assert hints["skew (a=1)"] == "place 1, by task_mean 2"


def test_a_turned_sign_is_marked(toys: Board, columns: list[PageColumn]) -> None:
    """`skew` gains by accuracy and recall, and loses where only accuracy counts."""
    other = next(column for column in columns if column.header.startswith("one_per_task"))
    cell = next(one for row, one in zip(toys.rows, other.cells, strict=True) if row.label == "skew (a=1)")
    assert cell.note.endswith("± turns")
    assert cell.text.startswith("−")
    assert "the sign turns: +" in cell.hint


def test_a_column_that_render_learns_enters_by_itself(toys: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_columns, "headers", lambda board: [*headers(board), "MR of\n3"])
    monkeypatch.setattr(table_columns, "cells", lambda board: [[*row, f"{n}.5"] for n, row in enumerate(cells(board))])
    columns = page_columns(toys, [Ranking(toys.definition, "", {}, {})], {})
    added = next(column for column in columns if column.header == "MR of 3")
    assert (added.group, added.kind) == ("always", "number")
    assert [cell.value for cell in added.cells] == [n + 0.5 for n in range(len(toys.rows))]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("−1.23 ±0.40", -1.23),
        ("+2.00", 2.0),
        ("5/5", 5.0),
        ("normal −7.03 ±0.80", -7.03),
        ("1.2e+03", 1200.0),
        ("–", None),
        ("reference", 0.0),
        ("left, right", "left, right"),
        ("0.0417", 0.0417),
        ("5.2e−05", 5.2e-05),
    ],
)
def test_what_sorts(text: str, value: float | str | None) -> None:
    assert sort_value(text) == value


def test_hurt_tasks_sort_by_their_number(toys: Board, columns: list[PageColumn]) -> None:
    column = next(column for column in columns if column.header == "Tasks hurt")
    counts = [None if row.tasks_hurt is None else len(row.tasks_hurt) for row in toys.rows]
    assert [cell.value for cell in column.cells] == counts
    assert len({count for count in counts if count is not None}) > 1


def test_cells_sort_by_the_rows_own_numbers(toys: Board) -> None:
    """Of a task whose name begins with a digit, and of counts with thousands apart."""
    renamed = [
        replace(
            row,
            changes={f"5_{task}": change for task, change in row.changes.items()},
            parameters=1_000_000 + n if n else 900_000,
        )
        for n, row in enumerate(toys.rows)
    ]
    board = replace(toys, rows=tuple(renamed))
    columns = {one.header: one for one in page_columns(board, rankings(toys), {})}
    sizes = [cell.value for cell in columns["Parameters"].cells]
    assert sizes == [float(row.parameters or 0) for row in renamed]
    for row, cell in zip(renamed, columns["Worst task %"].cells, strict=True):
        assert cell.value == (row.changes[row.worst_task].mean if row.worst_task else None)
    hurt = [cell.value for cell in columns["Tasks hurt"].cells]
    assert hurt == [None if row.tasks_hurt is None else len(row.tasks_hurt) for row in renamed]


def test_standings_sort_from_best_to_diverged() -> None:
    values = [sort_value(text) for text in ("best", "tied", "behind", "diverged")]
    assert values == sorted(values, key=float, reverse=True)  # type: ignore[arg-type]
