"""`mtl-bench tune` as typed: equal searches, runs found again, rows on fresh seeds alone, mistakes in one sentence."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.cli.record_folders import boards_below
from tests.cli.conftest import FAST, Type

TUNE = ["tune", *FAST, "trials=3", "seeds=[0,1]"]
KILLED = """
import os, signal
from mtl_bench.training import cell
saved, write = [], cell.save_record
def save_record(path, record):
    write(path, record)
    saved.append(path)
    if len(saved) == 8:
        os.kill(os.getpid(), signal.SIGKILL)
cell.save_record = save_record
"""


def entries(folder: Path) -> dict[str, Any]:
    found = (json.loads(path.read_text()) for path in folder.glob("runs/multidigits/entries/*.json"))
    return {entry["label"].partition(", tuned")[0]: entry for entry in found}


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("record.json"))]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuned")


@pytest.fixture
def searched(mtl_bench: Type, folder: Path, tuned: Path) -> Path:
    """The folder after two methods were tuned in it, for all tests the same."""
    if not any(tuned.iterdir()):
        typed = mtl_bench(*TUNE, "method=ls,uw")
        assert typed.status == 0, typed.err
        (tuned / "out.txt").write_text(typed.out)
        shutil.copytree(folder / "runs", tuned / "runs")
    shutil.copytree(tuned, folder, dirs_exist_ok=True)
    return folder


def test_every_method_and_every_task_alone_has_the_same_search(searched: Path) -> None:
    found = entries(searched)
    assert found.keys() == {"single-task", "ls", "uw"}
    by_run = {(record["hash"], record["seed"]): record for record in records(searched)}
    for entry in found.values():
        assert entry["label"].endswith(", tuned (3 trials)")
        tuning = entry["tuning"]
        assert (tuning["trials"], tuning["epochs"], tuning["sampler"], tuning["seed"]) == (3, None, "random", 1000)
        for study, group in zip(tuning["studies"], entry["groups"], strict=True):
            scores = [trial["score"] for trial in study["trials"]]
            assert len(scores) == 3
            winner = study["trials"][study["winner"]]
            assert winner["score"] == max(scores)
            assert group["hash"] == winner["hash"]  # trials had the whole budget
            for trial in study["trials"]:
                record = by_run[trial["hash"], 1000]
                assert record["config"]["protocol"]["training"]["optimizer"]["lr"] == next(
                    iter(trial["values"].values())
                )
            assert {seed for digest, seed in by_run if digest == group["hash"]} >= {0, 1}
    rates = [
        [next(iter(t["values"].values())) for t in s["trials"]] for e in found.values() for s in e["tuning"]["studies"]
    ]
    assert rates == [rates[0]] * 4
    assert [study["tasks"] for study in found["single-task"]["tuning"]["studies"]] == [["left"], ["right"]]
    assert found["single-task"]["tuning"]["studies"][0]["trials"][0]["score"] == 0  # what others are compared with
    assert len({trial["values"]["method.lr"] for trial in found["uw"]["tuning"]["studies"][0]["trials"]}) == 3


def test_trials_show_no_test_values_and_are_told_once(searched: Path) -> None:
    out = (searched / "out.txt").read_text()
    assert "Test" not in out
    assert out.count("left alone, trial 2 of 3: lr=") == 1  # the second method found them
    assert out.count("uw, trial 2 of 3: lr=") == 1


def test_report_has_a_table_of_its_own_for_tuned_rows(searched: Path, mtl_bench: Type) -> None:
    typed = mtl_bench("report", "--markdown", "-")
    assert typed.status == 0, typed.err
    untuned, tuned = typed.out.split("### ")[1:]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in tuned.splitlines() if line.startswith("| ")][2:]
    assert {"ls, tuned (3 trials)", "uw, tuned (3 trials)", "single-task, tuned (3 trials)", "ls"} <= set(rows)
    assert tuned.startswith("multidigits-tuned-3 · ")
    assert "against single-task runs tuned by the same search." in tuned
    assert "these have seed 1000, which no row counts." in tuned
    assert "tuned" not in untuned
    for line in typed.out.splitlines():
        if line.startswith(("| ls, ", "| uw, ")):
            assert " | 2/2 | " in line  # fresh seeds alone
    assert "| ls | 1/1 | " in untuned  # the configured trial of seed 1000 is none of its seeds


@pytest.mark.parametrize("experiment", ["multidigits", "multidigits-tuned-3"])
def test_the_tuned_board_has_two_names(experiment: str, searched: Path, mtl_bench: Type) -> None:
    for words in (["report", "--tuning", "a.png"], ["compare", "ls, tuned (3 trials)", "uw, tuned (3 trials)"]):
        typed = mtl_bench(*words, "--experiment", experiment)
        assert typed.status == 0, typed.err
        assert "multidigits-tuned-3 · " in typed.out


def test_ranks_and_conflicts_read_no_trial(searched: Path) -> None:
    for board in boards_below([searched / "runs"], [], entries=False):
        assert board.experiment == "multidigits"
        assert not [row.label for row in board.rows if 1000 in row.seeds]


def test_report_draws_searches(searched: Path, mtl_bench: Type) -> None:
    typed = mtl_bench("report", "--tuning", "searches.png", "--html", "site", "--experiment", "multidigits")
    assert typed.status == 0, typed.err
    assert "ours · tuned" in (searched / "site" / "multidigits-tuned-3.html").read_text()
    assert (searched / "searches.png").read_bytes().startswith(b"\x89PNG")


def test_a_search_can_be_sent_in(searched: Path, mtl_bench: Type) -> None:
    """As a submission: seeds are asked of its rows, not of its trials."""
    (searched / "reference").mkdir()
    (searched / "runs" / "submission.yaml").write_text(
        "author: A\nlink: https://a.b\ncode: https://a.b/c\ntuning: 3 trials\n"
    )
    shutil.rmtree(searched / "runs/multidigits/ls")  # whose finished cell is a row of one seed
    for path in searched.rglob("entries/tuned-ls-*.json"):
        path.unlink()
    lines = mtl_bench("validate", "runs", "--reference", "reference").out.splitlines()
    told = {line.rpartition(": ")[2] for line in lines if line.startswith("error: ")}
    assert told == {"has 2 seeds beside that of its trials, and a row needs 3."}


def test_status_counts_trials_as_searches(searched: Path, mtl_bench: Type) -> None:
    lines = [line.split() for line in mtl_bench("status").out.splitlines()]
    told = {tuple(line[1:-1]) for line in lines if line[:1] == ["multidigits"] and "of" in line}
    assert told == {(*who.split(), "3", "of", "3") for who in ("ls", "uw", "left alone", "right alone")}
    finished = sum(record["seed"] != 1000 for record in records(searched))
    assert f"{finished} of {finished} finished." in mtl_bench("status").out


def test_killed_it_goes_on_to_the_same_entries(searched: Path, mtl_bench: Type) -> None:
    whole = entries(searched)
    shutil.rmtree(searched / "runs")
    killed = mtl_bench(*TUNE, "method=uw", before=KILLED)
    assert killed.status != 0
    assert len(records(searched)) == 8
    assert len(entries(searched)["single-task"]["tuning"]["studies"][1]["trials"]) == 3
    assert "No search is over yet" in mtl_bench("report").err or "single-task" in mtl_bench("report").out
    again = mtl_bench(*TUNE, "method=uw")
    assert again.status == 0, again.err
    assert entries(searched) == {label: whole[label] for label in ("single-task", "uw")}


def test_more_seeds_extend_a_row_and_train_nothing_else(searched: Path, mtl_bench: Type) -> None:
    before = len(records(searched))
    typed = mtl_bench(*TUNE, "method=uw", "seeds=[0,1,2]", "single_seeds=[0,1]")
    assert typed.status == 0, typed.err
    assert len(records(searched)) == before + 1
    assert "trial 2 of 3: lr" not in typed.out
    assert entries(searched)["uw"]["seeds"] == [0, 1, 2]


def test_scalarization_searches_the_simplex_and_trials_can_be_short(folder: Path, mtl_bench: Type) -> None:
    (folder / "runs").rename(folder / "other")
    typed = mtl_bench(*TUNE, "method=priority", "trials=2", "epochs=0.05", "seeds=[0]", "sampler=tpe")
    assert typed.status == 0, typed.err
    entry = entries(folder)["scalarization"]
    assert entry["label"] == "scalarization, tuned (2 trials of 0.05 epochs)"
    first, second = entry["tuning"]["studies"][0]["trials"]
    assert (first["values"]["method.priorities"], second["values"]["method.priorities"].keys()) == (
        {},
        {"left", "right"},
    )
    by_run = {(record["hash"], record["seed"]): record for record in records(folder)}
    assert by_run[second["hash"], 1000]["counts"]["batches"] == 4  # of 75 in an epoch
    assert by_run[entry["groups"][0]["hash"], 0]["counts"]["batches"] == 2  # the protocol's own
    assert "| scalarization, tuned (2 trials of 0.05 epochs) | 1/1 | " in mtl_bench("report", "--markdown", "-").out


def test_single_task_runs_keep_what_the_protocol_changes_for_them(folder: Path, mtl_bench: Type) -> None:
    apart = "+protocol.reporting.single_training={optimizer: {lr: 0.001}}"
    typed = mtl_bench(*TUNE, "trials=2", "seeds=[1]", apart)
    assert typed.status == 0, typed.err
    found = entries(folder)
    first = [found[label]["tuning"]["studies"][0]["trials"][0] for label in ("single-task", "ls")]
    assert [next(iter(trial["values"].values())) for trial in first] == [0.001, 0.003]
    assert found["ls"]["baselines"]["left"] == first[0]["hash"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trials=0"], "trials counts runs of every search, 1 or more; got 0"),
        (["trials=inf"], "trials counts runs of every search, 1 or more; got inf"),
        (["trials=nan"], "trials counts runs of every search, 1 or more; got nan"),
        (["epochs=-1"], "epochs is the budget of a trial"),
        (["rates=[1,0.1]"], "rates are two multiples of the learning rate"),
        (["sampler=grid"], "sampler is one of random, tpe; got 'grid'"),
        (["sampler_seed=-1"], "sampler_seed is a whole number"),
        (["sampler_seed=0.5"], "sampler_seed is a whole number"),
        (["seed=1"], "seed=1 is the trials', and a winner must be judged by others"),
        (["seed=[1]"], "seed"),
        (["objective=mean"], "Tuning has one score"),
        (["+objective=mean"], "Tuning has one score"),
        (["method=cagrad", "space.c.high=inf"], "space.c is {low"),
        (["only=[left]"], "Every task alone is tuned beside each method"),
        (["protocol.training.val=none"], "Tuning asks the validation split"),
        (["method=cagrad", "space.c.high=0"], "space.c is {low"),
        (["method=cagrad", "+space.d=[1,2]"], "space.d is searched, and the method has no key d"),
        (["trails=3"], "trails"),
        (["protocol.training.optimizer.lr=1e30"], "The single-task run of left with seed 1000"),
    ],
)
def test_mistakes_are_one_sentence(words: list[str], said: str, mtl_bench: Type) -> None:
    typed = mtl_bench(*TUNE, *words)
    assert typed.status == 1
    assert said in typed.sentence
    assert typed.err.count("\n") == 1


def test_without_optuna_it_says_what_to_install(mtl_bench: Type) -> None:
    typed = mtl_bench(*TUNE, before="import sys; sys.modules['optuna'] = None")
    assert typed.status == 1
    assert "pip install 'mtl-bench[tune]'" in typed.err


def test_one_method_that_fails_leaves_the_others(folder: Path, mtl_bench: Type) -> None:
    typed = mtl_bench(*TUNE, "method=cso,ls", "trials=1", "seeds=[0]")
    assert typed.status == 1
    assert entries(folder).keys() >= {"single-task", "ls"}
    assert typed.err.startswith("mtl-bench: ")
    assert "Not every cell of this sweep finished" in typed.err


def test_an_auxiliary_task_is_searched_along_and_stands_on_no_board(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench(*TUNE, "method=uw", "trials=2", "protocol.reporting.delta_m.terms.right=[]")
    assert typed.status == 0, typed.err
    found = entries(folder)
    assert [study["tasks"] for study in found["single-task"]["tuning"]["studies"]] == [["left"]]
    assert list(found["uw"]["delta_m"]["terms"]) == list(found["uw"]["baselines"]) == ["left"]
    report = mtl_bench("report", "--markdown", "-")
    assert report.status == 0, report.err
    assert "| uw, tuned (2 trials) | " in report.out


def test_what_a_method_does_not_take_is_refused_before_the_first_run(mtl_bench: Type, folder: Path) -> None:
    before = records(folder)
    typed = mtl_bench(*TUNE, "method=go4align", "+space.groups={low:2,high:4}")
    assert typed.status == 1
    assert "method.groups must be a whole number, got " in typed.err
    assert typed.err.rstrip().endswith("The search draws such values; give space a list to choose from.")
    assert records(folder) == before
