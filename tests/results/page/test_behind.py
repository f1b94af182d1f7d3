"""Whose runs stand behind a row, and what they cost beside the plain sum."""

from pathlib import Path

import pytest

from mtl_bench.results import Board, leaderboards
from mtl_bench.results.entries import Run
from mtl_bench.results.page import Material
from mtl_bench.results.page.behind import plain_row, provenance, runs_behind, time_ratio
from mtl_bench.results.validation import Submission
from tests.results.page.conftest import Located


def behind(board: Board, label: str) -> list[Run]:
    return list(board.entries[label].behind.values())


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        ("runs", "ours · not tuned · a=1"),
        ("results/submissions/me", "submitted · not tuned · a=1"),
        ("results/tuned", "ours · tuned · a=1"),
        ("published/tuned", "published · tuned · a=1"),
    ],
)
def test_folders_say_where_a_row_comes_from(folder: str, says: str, located: Located, toys: Board) -> None:
    moved = [(Path("/somewhere") / folder / path.parent.name / path.name, record) for path, record in located]
    moved = [(path.parents[1] / record["hash"] / path.parent.name / path.name, record) for path, record in moved]
    assert str(provenance(behind(toys, "skew (a=1)"), Material(moved))) == says


@pytest.mark.parametrize(("tuning", "tuned"), [("None", False), ("20 trials on validation Δm", True)])
def test_what_was_sent_in_says_whether_it_was_tuned(tuning: str, tuned: bool, located: Located, toys: Board) -> None:
    sent = {"even-hash": Submission("Ada", "https://a.b", "https://a.b/c", tuning)}
    material = Material(located, sent=sent)
    assert provenance(behind(toys, "even"), material).tuned is tuned
    assert not provenance(behind(toys, "ls"), material).tuned


def test_every_row_has_its_entry(toys: Board) -> None:
    assert toys.entries.keys() == {row.label for row in toys.rows}
    for row in toys.rows:
        assert toys.entries[row.label].seeds == list(row.seeds)
        assert [next(iter(run.values()))["hash"] for run in runs_behind(toys, row)] == list(row.hashes)


def test_the_plain_sum_is_found_by_what_it_is(toys: Board, located: Located) -> None:
    found = plain_row(toys, toys.rows[0])
    assert found is not None
    assert found.label == "ls"
    for _, record in located:  # with an argument it is another method
        if record["method"]["name"] == "ls":
            record["identity"] = {"method": {**record["identity"]["method"], "fixed": {"left": 2}}}
    (board,) = leaderboards([record for _, record in located])
    assert plain_row(board, board.rows[0]) is None


def test_time_is_compared_on_one_kind_of_machine(located: Located, toys: Board) -> None:
    for _, record in located:
        slow = record["seed"] == 2
        record["measured"] |= {"host": "slow" if slow else "a", "seconds_per_step": 9.0 if slow else 0.01}
        if record["method"]["name"] == "even":
            record["measured"]["seconds_per_step"] = 0.03
            record["measured"]["host"] = "a"
    even, plain = behind(toys, "even"), behind(toys, "ls")
    assert time_ratio(even, plain) == pytest.approx(3)
    for record in even[0].values():
        record["measured"]["host"] = "elsewhere"
    assert time_ratio(even, plain) is None


def test_a_tuned_row_is_compared_with_the_plain_sum_tuned_alike(searched: Material) -> None:
    board = next(board for board in leaderboards(searched.records, searched.files) if board.tuned_from)
    found = {row.label: plain_row(board, row) for row in board.rows}
    plain = {label: row.label for label, row in found.items() if row}
    tuned, untuned = "ls, tuned (3 trials)", "ls"
    assert plain == {label: tuned if ", tuned" in label else untuned for label in found}
