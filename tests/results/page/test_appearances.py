"""A method on every board: won, tied or lost against the plain sum, place, cost, failures, and Δm against K."""

from dataclasses import replace
from statistics import fmean
from typing import cast

import pytest

from mtl_bench.results import Board, difference, leaderboards
from mtl_bench.results import appearances as module
from mtl_bench.results.appearances import appearances, change_on, nests
from mtl_bench.results.card_parts import board_parts
from mtl_bench.results.page import Material
from mtl_bench.results.row import Estimate, Gain
from tests.results.page.conftest import Located


def test_a_duel_is_judged_by_the_spread_of_the_board(toys: Board) -> None:
    (found,) = appearances("even", [toys])
    rows = {row.label: row for row in toys.rows}
    even, plain = rows["even"], rows["ls"]
    assert toys.spread is not None
    assert found.gap == difference(even.per_seed, plain.per_seed, toys.spread)
    assert found.outcome == "win"
    assert found.plain is plain
    assert found.place is not None
    assert (found.place.place, found.methods) == (1, 5)
    assert found.ratio == pytest.approx(1)


def test_a_method_without_a_plain_row_of_its_own_shows_all_its_rows(toys: Board) -> None:
    (found,) = appearances("skew", [toys])
    assert found.name == "toys: skew (a=1)"
    assert appearances("nobody", [toys]) == []


def test_what_diverged_is_not_compared_and_told(located: Located) -> None:
    for _, record in located:
        if record["method"]["name"] == "lost":
            record["failures"] = {"nonfinite_steps": 2, "solver": 3}
    boards = leaderboards([record for _, record in located])
    (found,) = appearances("lost", boards)
    assert found.outcome is None
    assert found.lost == (2,)
    assert (found.skipped, found.missed) == (6, 9)
    text = {part.title: " ".join(part.sentences) for part in board_parts([found])}
    assert "toys: seed 2 of 3 did not converge." in text["Failures"]
    assert "Residuals that its solver missed: 9 on toys." in text["Failures"]
    assert "Not compared" in text["Against the plain sum"]


def test_what_the_mark_of_a_gain_stands_for_is_said_of_each_board(toys: Board) -> None:
    (found,) = appearances("even", [toys])
    estimate = Estimate(1.0, None)
    repeated, other = Gain(estimate, "thrice", repeated=True), Gain(estimate, "ls", on="longer")
    rows = [replace(found.row, at_equal_passes=gain) for gain in (repeated, other, Gain(estimate, "ls"))]
    three = [replace(found, name=name, row=row) for name, row in zip(("one", "two", "three"), rows, strict=True)]
    told = board_parts(three)[0].sentences
    assert [one for one in told if one.startswith("†")] == [
        "† Over thrice, which spends as many passes on further steps per batch: one.",
        "† Over ls of longer: two.",
    ]


def test_a_tuned_board_shows_the_searched_row_against_the_searched_plain_sum(searched: Material) -> None:
    boards = [board for board in leaderboards(searched.records, searched.files) if board.tuned_from]
    found = appearances("even", boards)
    assert [(one.row.label, one.plain and one.plain.label) for one in found] == [
        ("even, tuned (3 trials)", "ls, tuned (3 trials)"),
        ("even, tuned (3 trials)", "ls, tuned (3 trials)"),
    ]
    assert [one.name for one in found] == [f"{board.experiment} · {board.hash[:6]}" for board in boards]


def test_the_plain_sum_is_the_reference(toys: Board) -> None:
    found = appearances("ls", [toys])
    part = board_parts(found)[0]
    assert "It is the plain sum" in part.sentences[0]
    assert "reference" in part.rows[0]


def test_parts_hold_as_many_cells_as_heads(toys: Board) -> None:
    for part in board_parts(appearances("even", [toys])):
        assert all(len(row) == len(part.head) for row in part.rows)
    assert board_parts([])[0].sentences == ("No committed board holds it.",)


def test_nested_boards_give_a_chain(located: Located) -> None:
    """The same run less a task is a board of its own; Δm of the shared tasks is taken from both."""
    smaller: Located = []
    for path, record in located:
        record["identity"] = {**record["identity"], "model": {"width": 1}, "tasks": len(record["tasks"])}
        if record["method"]["name"] == "even":
            tasks = record["tasks"][:2]
            less = {
                **record,
                "hash": "even-of-two",
                "experiment": {"name": "toys", "hash": "e2" * 32},
                "tasks": tasks,
                "delta_m": {**record["delta_m"], "terms": {t: record["delta_m"]["terms"][t] for t in tasks}},
                "baselines": {task: record["baselines"][task] for task in tasks},
            }
            smaller.append((path.with_name("two.json"), less))  # type: ignore[arg-type]
    found = appearances("even", leaderboards([record for _, record in [*located, *smaller]]))
    assert {one.name for one in found} == {"toys · e1e1e1", "toys · e2e2e2"}
    ((two, three),) = nests(found)
    assert (len(two.row.changes), len(three.row.changes)) == (2, 3)
    assert two.row.delta_m is not None
    on_two = change_on(two, ["left", "right"])
    assert on_two.mean == pytest.approx(two.row.delta_m.mean)
    assert on_two.interval is not None
    assert two.row.delta_m.interval is not None
    assert on_two.interval.half == pytest.approx(two.row.delta_m.interval.half)
    on_three = change_on(three, ["left", "right"])
    assert on_three.mean == pytest.approx(fmean([three.row.changes["left"].mean, three.row.changes["right"].mean]))
    part = board_parts(found)[-1]
    assert [row[1] for row in part.rows] == ["2", "3"]


def test_every_board_that_no_other_holds_ends_the_longest_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "tasks_of", list)
    group = cast(list[module.Appearance], ["abcdef", "ab", "abx", "y", "abcd"])  # letters are tasks
    assert module._longest(group) == [["y"], ["ab", "abx"], ["ab", "abcd", "abcdef"]]
