"""Tuned rows stand in a table of their own, against tuned single-task runs, on fresh seeds alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from mtl_bench.cli.freeze import filters_of
from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.entry import EntryFile, find_entries, save_entry
from mtl_bench.results import Board, leaderboards, markdown
from mtl_bench.results.board_csv import delta_m_places
from mtl_bench.results.latex import latex
from mtl_bench.results.tuning_pictures import draw_tuning
from tests.results.conftest import Runs

TRIALS = 9  # their seed
RATE = "protocol.training.optimizer.lr"


def tuned(like: Record, label: str, hashes: dict[str, str], **changes: Any) -> EntryFile:
    """As `mtl-bench tune` leaves it: `hashes` of winners by their tasks, joined by commas."""
    trials = [{"values": {RATE: 0.1 * n}, "hash": f"{label}-trial-{n}", "score": float(n)} for n in (1, 2)]
    studies = [
        {
            "tasks": tasks.split(","),
            "space": {RATE: {"low": 0.01, "high": 1.0, "log": True}},
            "trials": [*trials, {"values": {RATE: 0.3}, "hash": digest, "score": 3.0}],
            "winner": 2,
        }
        for tasks, digest in hashes.items()
    ]
    tuning = {
        **{"trials": 3, "epochs": None, "rates": [0.1, 10], "sampler": "random", "sampler_seed": 0, "seed": TRIALS},
        **{"score": "score", "studies": studies, **changes},
    }
    own = f"012345{tuning['sampler_seed']:02}"  # as the hash of what is asked is unlike
    made = {
        **{key: like[key] for key in ("experiment", "tasks", "metrics", "selection", "delta_m", "baselines")},
        **{"schema": 1, "id": f"tuned-{label}-{own}", "label": f"{label}, tuned (3 trials)", "budget": 1},
        **{"grouping": {}, "seeds": [0, 1, 2], "value": 3.0, "measured_by": [], "tuning": tuning},
        "groups": [{"tasks": t.split(","), "serves": t.split(","), "hash": digest} for t, digest in hashes.items()],
    }
    return cast(EntryFile, made)


def with_hash(records: Sequence[Record], digest: str, experiment: str = "f2") -> list[Record]:
    """The same runs under another learning rate."""
    return [
        cast(Record, {**record, "hash": digest, "experiment": {"name": "digits", "hash": experiment * 32}})
        for record in records
    ]


@pytest.fixture
def setting(runs: Runs, single: Runs) -> tuple[list[Record], list[EntryFile]]:
    """Single-task runs and M, plain and tuned, with a trial of M's winner that would lift its row."""
    plain = runs("m", (70, 71, 72), (0.40, 0.41, 0.42))
    left, right = (
        [r for r in single((84, 85, 86), (0.39, 0.40, 0.41)) if r["tasks"] == [t]] for t in ("left", "right")
    )
    better = with_hash(runs("m", (85, 86, 87), (0.40, 0.41, 0.42)), "m-won")
    (trial,) = with_hash(runs("m", (100,), (0.01,)), "m-won")
    trial["seed"] = TRIALS
    records = [*single(), *plain, *with_hash(left, "left-won"), *with_hash(right, "right-won"), *better, trial]
    files = [
        tuned(plain[0], "m", {"left,right": "m-won"}),
        tuned(plain[0], "single-task", {"left": "left-won", "right": "right-won"}),
    ]
    return records, files


def labels(board: Board) -> set[str]:
    return {row.label for row in board.rows}


def test_a_board_has_one_kind_of_baseline(setting: tuple[list[Record], list[EntryFile]]) -> None:
    plain, board = leaderboards(*setting)
    assert labels(plain) == {"M", "single-task"}
    assert plain.experiment == "digits"
    assert labels(board) == {"m, tuned (3 trials)", "single-task, tuned (3 trials)", "M", "single-task, as configured"}
    assert (board.experiment, board.setting) == ("digits-tuned-3", {"name": "digits", "hash": plain.hash})
    assert board.hash != plain.hash
    rows = {row.label: row for row in board.rows}
    assert rows["single-task, tuned (3 trials)"].is_single_task
    tuned_row, untuned = rows["m, tuned (3 trials)"], rows["M"]
    assert tuned_row.seeds == (0, 1, 2)
    assert tuned_row.changes["left"].mean == pytest.approx(100 * (86 - 85) / 85)
    assert untuned.changes["left"].mean == pytest.approx(100 * (71 - 85) / 85)
    assert {row.label: row for row in plain.rows}["M"].changes["left"].mean == pytest.approx(100 * (71 - 80) / 80)
    assert "against single-task runs tuned by the same search." in markdown(board)
    assert "against single-task." in markdown(plain)
    assert "of changes against single-task runs tuned by the same search." in latex(board)
    assert "of changes against single-task." in latex(plain)
    assert any(note == "m: trial 3, lr=0.3 → +3.00 %." for note in board.notes)


def test_single_task_runs_are_no_method_tuned_or_not(setting: tuple[list[Record], list[EntryFile]]) -> None:
    _, board = leaderboards(*setting)
    assert {row.label for row in board.rows if row.is_method} == {"m, tuned (3 trials)", "M"}
    assert delta_m_places(board).keys() == {"m, tuned (3 trials)", "M"}
    assert [chosen.methods for chosen in filters_of(board)][:2] == [None, ("M",)]


def test_a_trial_of_the_configuration_as_it_stands_is_no_seed_of_the_plain_row(
    setting: tuple[list[Record], list[EntryFile]], runs: Runs
) -> None:
    records, files = setting
    (first,) = runs("m", (100,), (0.01,))
    first["seed"] = TRIALS
    files[0]["tuning"]["studies"][0]["trials"][0]["hash"] = first["hash"]
    plain, _ = leaderboards([*records, first], files)
    assert next(row for row in plain.rows if row.label == "M").seeds == (0, 1, 2)


def test_searches_of_other_budgets_share_no_table(setting: tuple[list[Record], list[EntryFile]]) -> None:
    records, files = setting
    files[1]["tuning"]["trials"] = 4
    _, board = leaderboards(records, files)
    assert "m, tuned (3 trials)" in labels(board)
    assert not any(row.delta_m for row in board.rows)
    assert any("tuned single-task runs are missing" in note for note in board.notes)


def test_a_search_under_way_has_no_row(setting: tuple[list[Record], list[EntryFile]]) -> None:
    records, files = setting
    for file in files:
        file["groups"] = []
    (plain,) = (board for board in leaderboards(records, files) if board.hash == "e1" * 32)
    assert labels(plain) == {"M", "single-task"}
    with pytest.raises(BenchError, match="No search is over yet"):
        leaderboards([record for record in records if record["seed"] == TRIALS], _with_trial(files, "m-won"))


def test_winners_in_training_are_no_setting_of_their_own(setting: tuple[list[Record], list[EntryFile]]) -> None:
    records, files = setting
    for file in files:
        file["value"] = None
    (plain,) = leaderboards([record for record in records if record["seed"] != 2], files)  # of which seeds are to come
    assert (plain.hash, labels(plain)) == ("e1" * 32, {"M", "single-task"})


def _with_trial(files: list[EntryFile], digest: str) -> list[EntryFile]:
    assert files[0]["tuning"]["studies"][0]["trials"][2]["hash"] == digest
    return files


def test_a_copy_with_fewer_seeds_is_no_second_row(setting: tuple[list[Record], list[EntryFile]]) -> None:
    records, files = setting
    former = [cast(EntryFile, {**file, "seeds": [0, 1]}) for file in files]
    begun = [cast(EntryFile, {**file, "groups": [], "value": None}) for file in files]
    training = [cast(EntryFile, {**file, "seeds": [0, 1, 2, 3], "value": None}) for file in files]
    for order in ([*training, *former, *files, *begun], [*begun, *files, *former, *training]):
        assert labels(leaderboards(records, order)[1]) == labels(leaderboards(records, files)[1])


def test_two_searches_of_one_name_are_told_apart(setting: tuple[list[Record], list[EntryFile]]) -> None:
    records, files = setting
    other = cast(EntryFile, {**files[0], "id": "tuned-m-89abcdef"})
    _, board = leaderboards(records, [*files, other])
    assert {"m, tuned (3 trials) (012345)", "m, tuned (3 trials) (89abcd)"} < labels(board)


def test_tuned_single_task_runs_that_diverged_are_no_baseline(setting: tuple[list[Record], list[EntryFile]]) -> None:
    records, files = setting
    lost = next(record for record in records if record["hash"] == "left-won" and record["seed"] == 1)
    lost["converged"] = False
    _, board = leaderboards(records, files)
    assert not any(row.delta_m for row in board.rows)
    assert any("a single-task run did not converge with seed 1" in note for note in board.notes)


def test_entries_are_read_as_written_and_drawn(setting: tuple[list[Record], list[EntryFile]], tmp_path: Path) -> None:
    _, files = setting
    files[0]["tuning"]["studies"][0]["trials"][0]["score"] = None
    folder = tmp_path / "entries"
    folder.mkdir()
    for file in files:
        save_entry(folder / f"{file['id']}.json", file)
    found = find_entries([tmp_path])
    assert sorted(found, key=lambda file: file["id"]) == files
    draw_tuning(found, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "single-task" in text
    with pytest.raises(BenchError, match="No search lies in these folders"):
        draw_tuning([], tmp_path / "b.svg")


def test_a_curve_far_below_the_others_is_no_line_along_the_edge(
    setting: tuple[list[Record], list[EntryFile]], tmp_path: Path
) -> None:
    """It would be read as its scores."""
    records, files = setting
    like = next(record for record in records if record["method"]["name"] == "m")
    more = [tuned(like, f"other_{n}", {"left,right": "m-won"}) for n in range(2)]
    draw_tuning([*files, *more], tmp_path / "a.svg")
    assert "nothing is drawn" not in (tmp_path / "a.svg").read_text()
    for trial in files[0]["tuning"]["studies"][0]["trials"]:
        trial["score"] = -150.0
    draw_tuning([*files, *more], tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "<!-- m (below −25) -->" in text
    assert "<!-- trials n (of 3 trials; below −25 nothing is drawn) -->" in text
