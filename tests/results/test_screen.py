"""What a reader sees in a terminal: the columns that are read first, all of them with `wide`, nothing cut."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from mtl_bench.records.entry import find_entries
from mtl_bench.records.record import find_records
from mtl_bench.results import Board, Row, leaderboard, leaderboards, show
from mtl_bench.results.render import cells, headers, signed
from tests.results.conftest import Runs

ROOTS = [Path(__file__).parents[2] / "results" / "reference"]
COMMITTED = leaderboards(find_records(ROOTS), find_entries(ROOTS))
LABELS = [
    "random (b=2, mean of 3 draws)",
    "somebodys_package.methods.balanced.GradientsOfEqualLength (lr=0.001, weighting=uw, phase=sequential)",
    "x" * 120,
]
each_committed = pytest.mark.parametrize("board", COMMITTED, ids=lambda board: f"{board.experiment}-{board.hash[:6]}")


def printed(board: Board, width: int, *, wide: bool = False) -> str:
    stream = io.StringIO()
    show(board, Console(file=stream, width=width), wide=wide)
    return stream.getvalue()


def table(text: str) -> list[str]:
    """Title, headers and rows."""
    return text.split("A pass is")[0].split("Test values")[0].split("No room here")[0].splitlines()


def unbroken(row: Row) -> list[str]:
    """What must stand in one piece, on one line."""
    worst = [signed(row.changes[row.worst_task])] if row.worst_task else []
    return ["reference" if row.is_single_task else signed(row.delta_m), row.standing or "–", *worst]


@each_committed
@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_committed_board_is_one_table_that_fits(board: Board, width: int) -> None:
    text = printed(board, width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    lines = table(text)
    assert sum(line.startswith("Method") for line in lines) == 1
    for row in board.rows:
        assert any(all(part in line for part in [*unbroken(row), f"{row.cost.passes:.3g}"]) for line in lines), row
    assert "`mtl-bench report --wide` shows every" in " ".join(text.split())


@each_committed
def test_a_committed_board_has_room_for_every_column(board: Board) -> None:
    text = printed(board, 100)
    assert "No room here" not in text
    for row in board.rows:
        if row.tasks_hurt is not None:
            assert f" {len(row.tasks_hurt)} of {len(row.changes)} " in text


@each_committed
def test_without_single_task_runs_a_metric_of_each_task_is_shown_or_named(board: Board) -> None:
    bare = replace(board, rows=tuple(replace(row, delta_m=None, changes={}, standing=None) for row in board.rows))
    text = printed(bare, 100)
    assert max(map(cell_len, text.splitlines())) <= 100
    shown, _, below = text.partition("A pass is")
    for task in {column.task for column in board.columns}:
        assert task in shown
    assert "Δm %" not in shown
    assert "`mtl-bench report --wide`" in below
    if len({column.task for column in board.columns}) < 4:
        assert "No room here" not in shown


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_long_names_fold_and_no_digit_is_lost(board: Board, width: int, relative: bool) -> None:
    long = {task: f"{task}_of_a_name_that_nobody_would_want_to_read_in_a_table" for task in ("left", "right")}
    rows = [
        replace(
            row,
            label=label,
            metrics={(long[task], metric): value for (task, metric), value in row.metrics.items()},
            delta_m=row.delta_m if relative else None,
            changes={long[task]: change for task, change in row.changes.items()} if relative else {},
        )
        for row, label in zip(board.rows, LABELS, strict=True)
    ]
    columns = tuple(replace(column, task=long[column.task]) for column in board.columns)
    named = replace(board, rows=tuple(rows), columns=columns)
    for wide in (False, True):
        lines = table(printed(named, width, wide=wide))
        assert max(map(cell_len, lines)) <= width
        tables = sum(line.startswith("Method") for line in lines)
        assert "".join(lines).count("x") == 120 * tables
        for part in [part for row in rows for part in unbroken(row)] if relative else ():
            assert any(part in line for line in lines)
    for row in cells(named):
        for number in row[-6:]:  # the metrics of both tasks and the costs
            assert any(number in line for line in lines)


def test_without_a_single_task_row(runs: Runs) -> None:
    board = leaderboard([*runs("ls", [85, 86, 87], [0.45, 0.44, 0.43]), *runs("uw", [84, 85, 86], [0.5, 0.5, 0.5])])
    text = printed(board, 100)
    for shown in ("accuracy", "abs_err", "86.0 ±2.5", "0.440 ±0.025", "3/3"):
        assert shown in text


def test_a_pass_counts_the_share_of_a_part(runs: Runs, single: Runs) -> None:
    """Three parts of a batch are three forwards and three backwards, and two passes."""
    counts = {"batches": 100, "forwards": 300, "backwards": 300, "passes": 200.0, "optimizer_steps": 100}
    board = leaderboard([*runs("ls", [83, 84], [0.46, 0.45], counts=counts), *single()])
    (line,) = (line for line in table(printed(board, 100)) if line.startswith("LS"))
    assert line.split()[-1] == "2"


def test_wide_shows_every_column(board: Board) -> None:
    text = printed(board, 200, wide=True)
    for part in [part for name in headers(board) for part in name.split("\n")]:
        assert part in text
    for row in cells(board):
        for cell in row:
            assert cell in text
    assert "--wide" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_wide_stands_in_parts_where_it_must(board: Board, width: int) -> None:
    lines = table(printed(board, width, wide=True))
    for row in cells(board):
        for cell in row:
            assert any(cell in line for line in lines)
    assert max(map(cell_len, lines)) <= width
    assert ("\n".join(lines).count("MGDA") == 1) == (width > 100)


def test_a_command_survives_a_narrow_terminal(runs: Runs) -> None:
    """rich reads [left] as markup and folds long lines; a command must be copied as it is."""
    text = printed(leaderboard(runs("ls", [85, 86, 87], [0.45, 0.44, 0.43])), 60)
    assert "`mtl-bench train -m experiment=digits 'only=[left],[right]' seed=0,1,2,3,4`" in text


def test_markup_in_a_label_is_shown(runs: Runs, single: Runs) -> None:
    named = [r | {"method": {"name": "ls", "label": "LS|a [b]"}} for r in runs("ls", [85, 86], [0.45, 0.44])]
    assert "LS|a [b]" in printed(leaderboard([*named, *single()]), 100)
