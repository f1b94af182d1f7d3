"""Is it worth it: gains over the plain sum at equal passes and trials, where they come from, and what is missing."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from mtl_bench.records import Record
from mtl_bench.records.entry import find_entries
from mtl_bench.records.record import find_records
from mtl_bench.results import Board, difference, leaderboards, markdown
from mtl_bench.results.board_csv import board_csv
from mtl_bench.results.render import cells, headers, lines
from mtl_bench.results.row import Gain, Row
from mtl_bench.results.spread import merged
from mtl_bench.results.worth import trials_of
from mtl_bench.results.worth_text import AT_PASSES, AT_TRIALS
from tests.results.conftest import Runs

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
PLAIN = {"_target_": "mtl_bench.methods.linear_scalarization.LinearScalarization", "_revision_": 1}
TWICE = {"_target_": "mtl_bench.methods.repeated.Repeated", "_revision_": 1, "steps": 3}
Trained = Callable[..., list[Record]]


@pytest.fixture
def trained(runs: Runs) -> Trained:
    """Three seeds of a method around `left`, of so many passes in all, on an experiment of that budget."""

    def make(label: str, left: float, passes: float, method: Any = None, experiment: str = "epochs") -> list[Record]:
        budget = {"amount": 6} if experiment == "epochs" else {"amount": 18000, "unit": "passes"}
        made = runs(
            label,
            [left - 1, left, left + 1],
            [0.5, 0.5, 0.5],
            hash=f"{label}-{experiment}",
            experiment={"name": experiment, "hash": experiment * 8},
            counts={"batches": 100, "forwards": 1, "backwards": 1, "passes": passes, "optimizer_steps": 100},
            identity={
                "method": method or {"_target_": f"a.{label}"},
                "training": {"budget": budget, "batch_size": 8},
                "model": {"width": 16},
            },
        )
        for record in made:
            record["method"] = {"name": label.partition(" ")[0], "label": label}
        return made

    return make


def rows(boards: list[Board]) -> dict[tuple[str, str], Row]:
    return {(board.experiment, row.label): row for board in boards for row in board.rows}


def test_a_method_of_another_hand_without_a_class_is_no_plain_sum(trained: Trained) -> None:
    made = trained("ls", 80, 100)
    for record in made:
        record["identity"]["method"] = {}
    assert [row.spending for row in leaderboards(made)[0].rows] == [None]


def test_as_many_passes_on_the_same_board(trained: Trained, single: Runs) -> None:
    records = [*trained("plain", 80, 200, PLAIN), *trained("cheap", 84, 201), *trained("dear", 90, 203), *single()]
    (board,) = leaderboards(records)
    found = rows([board])
    cheap, plain = found["epochs", "cheap"], found["epochs", "plain"]
    gain = cheap.at_equal_passes
    assert gain == Gain(gain.estimate, "plain")
    assert gain.estimate.mean == pytest.approx(fmean(cheap.per_seed.values()) - fmean(plain.per_seed.values()))
    assert gain.estimate.mean == pytest.approx(2.5)  # 4 of 80 on one of two tasks
    assert gain.estimate.interval == difference(cheap.per_seed, plain.per_seed, board.spread)
    assert found["epochs", "dear"].at_equal_passes is None  # 1.5 % more
    assert plain.at_equal_passes is None
    column = headers(board).index(AT_PASSES)
    assert {texts[0]: texts[column][:5] for texts in cells(board)} == {
        "dear": "–",
        "cheap": "+2.50",
        "plain": "refer",
        "single-task": "–",
    }
    assert AT_TRIALS not in headers(board)
    text = " ".join(lines(board))
    assert "Worth it? Gain at equal passes" in text
    assert "No run of the plain sum at equal passes for dear." in text
    assert "No tuned run of the plain sum, so no gain at equal trials." in text
    assert "Worth it" not in " ".join(lines(board, worth=False))


def test_a_plain_sum_of_another_budget_serves(trained: Trained, single: Runs) -> None:
    records = [
        *trained("plain", 80, 200, PLAIN),
        *trained("dear", 90, 600),
        *trained("plain", 88, 600, PLAIN, experiment="passes"),
    ]
    boards = leaderboards([*records, *single()])
    found = rows(boards)
    gain = found["epochs", "dear"].at_equal_passes
    assert gain is not None
    assert (gain.over, gain.on, gain.again) == ("plain", "passes", None)
    assert gain.estimate.mean == pytest.approx(1.25)
    pooled = merged([board.spread for board in boards if board.spread])
    assert gain.estimate.interval == difference(
        found["epochs", "dear"].per_seed, found["passes", "plain"].per_seed, pooled
    )
    text = " ".join(lines(next(board for board in boards if board.experiment == "epochs")))
    assert "† Over plain of passes: dear." in text
    alone = leaderboards([*records[:6], *single()])
    assert rows(alone)["epochs", "dear"].at_equal_passes is None


def test_both_may_come_from_another_budget(trained: Trained, single: Runs) -> None:
    """At 500 passes nothing compares, at 18000 both were trained."""
    records = [
        *trained("plain", 80, 200, PLAIN),
        *trained("dear", 90, 500),
        *trained("plain", 92, 18000, PLAIN, experiment="passes"),
        *trained("dear", 91, 18010, experiment="passes"),
    ]
    boards = leaderboards([*records, *single()])
    gain = rows(boards)["epochs", "dear"].at_equal_passes
    assert gain is not None
    assert (gain.over, gain.on, gain.again) == ("plain", "passes", "passes")
    assert gain.estimate.mean == pytest.approx(-0.625)
    board = next(board for board in boards if board.experiment == "epochs")
    assert "† Both as trained on passes: dear." in lines(board)
    assert " †" in markdown(board)
    assert "passes plain" in board_csv(board)
    for record in records:  # another learning rate is no longer the same setting
        if record["experiment"]["name"] == "passes":
            record["identity"]["training"]["lr"] = 0.1
    assert rows(leaderboards([*records, *single()]))["epochs", "dear"].at_equal_passes is None


def test_steps_repeated_on_a_batch_come_last(trained: Trained, single: Runs) -> None:
    records = [*trained("plain", 80, 200, PLAIN), *trained("thrice", 82, 600, TWICE), *trained("dear", 84, 600)]
    (board,) = leaderboards([*records, *single()])
    gain = rows([board])["epochs", "dear"].at_equal_passes
    assert gain is not None
    assert (gain.over, gain.repeated, gain.on) == ("thrice", True, None)
    assert rows([board])["epochs", "thrice"].at_equal_passes is None  # not against itself
    assert "† Over thrice, which spends as many passes on further steps per batch: dear." in lines(board)


def test_survivors_are_not_compared(trained: Trained, single: Runs) -> None:
    lost = trained("lost", 84, 200)
    lost[1]["converged"] = False
    (board,) = leaderboards([*trained("plain", 80, 200, PLAIN), *lost, *single()])
    assert rows([board])["epochs", "lost"].at_equal_passes is None
    assert "No gain at equal passes of what did not converge: lost." in lines(board)


def test_equal_trials_take_rows_that_were_searched_as_long(trained: Trained, single: Runs) -> None:
    records = [
        *trained("plain", 80, 200, PLAIN),
        *trained("plain (tuned, 20 trials)", 84, 200, PLAIN),
        *trained("other (tuned, 20 trials)", 86, 200),
        *trained("other (tuned, 10 trials)", 87, 200),
        *trained("other", 85, 200),
    ]
    (board,) = leaderboards([*records, *single()])
    found = rows([board])
    gain = found["epochs", "other (tuned, 20 trials)"].at_equal_trials
    assert gain is not None
    assert gain.over == "plain (tuned, 20 trials)"
    assert gain.estimate.mean == pytest.approx(1.25)
    assert found["epochs", "other (tuned, 10 trials)"].at_equal_trials is None
    assert found["epochs", "other"].at_equal_trials is None
    passes = found["epochs", "other"].at_equal_passes
    assert passes is not None
    assert passes.over == "plain"  # not the tuned one
    column = headers(board).index(AT_TRIALS)
    told = {texts[0]: texts[column] for texts in cells(board)}
    assert told["plain (tuned, 20 trials)"] == "reference"
    assert told["plain"] == "–"  # nobody's: it was not searched
    assert "Gain at equal trials: Δm less that of the plain sum, both searched with as many trials." in lines(board)


def test_trials_stand_in_a_label() -> None:
    assert trials_of("ls (tuned, 20 trials)") == 20
    assert trials_of("ls (lr=0.1)") is None


def test_without_single_task_runs_nothing_is_said(trained: Trained) -> None:
    (board,) = leaderboards([*trained("plain", 80, 200, PLAIN), *trained("cheap", 84, 200)])
    assert AT_PASSES not in headers(board)
    assert "Worth it" not in " ".join(lines(board))


def test_committed_boards() -> None:
    """What docs/boards/three_papers.md says of equal passes, and nothing where no run exists."""
    names = ("rooms", "rooms_task_norm", "rooms_equal_passes", "rooms_equal_passes_tag")
    folders = [REFERENCE / name for name in names]
    found = rows(leaderboards(find_records(folders), find_entries(folders)))
    gains = {key: round(row.at_equal_passes.estimate.mean, 1) for key, row in found.items() if row.at_equal_passes}
    assert gains["rooms_task_norm", "stgu"] == gains["rooms_equal_passes", "stgu"] == -4.7
    assert gains["rooms_task_norm", "ls_repeated"] == -6.0
    assert gains["rooms_equal_passes_tag", "tag (b=2)"] == -8.0
    assert gains["rooms", "uw"] == 4.6
    assert gains["rooms", "pcgrad"] == -2.2  # two plain steps per batch cost as much
    assert ("rooms", "learned_priority") not in gains  # six passes
