"""`mtl-bench group`: every way to choose ends in an entry, stages are found again, mistakes get one sentence."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL_ROOMS, Type

GROUP = ["group", "experiment=rooms_quick", *SMALL_ROOMS, "model.width=4", "seeds=[0,1]", "budget=2"]
GROUPINGS = sorted(path.stem for path in (Path(__file__).parents[2] / "configs/grouping").glob("*.yaml"))
RUNS = {"hoa": 2 * (3 + 3), "exhaustive": 2 * 7}  # records needed to choose; others: one run per seed, or none


def records(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("runs/rooms_quick/*/*/*/record.json")}


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_leaves_an_entry_with_its_files_and_a_row(mtl_bench: Type, folder: Path, grouping: str) -> None:
    typed = mtl_bench(*GROUP, f"grouping={grouping}")
    assert typed.status == 0, typed.err
    (path,) = folder.glob("runs/rooms_quick/entries/*.json")
    entry = json.loads(path.read_text())
    assert entry["label"].startswith(f"{grouping} (b=2")
    assert 1 <= len(entry["groups"]) <= 2
    assert sorted(task for group in entry["groups"] for task in group["serves"]) == sorted(entry["tasks"])
    for group in entry["groups"]:
        assert set(group["serves"]) <= set(group["tasks"])
        assert len(list(folder.glob(f"runs/rooms_quick/*/{group['hash'][:12]}/seed-*/record.json"))) == 2
    assert len(entry["measured_by"]) == RUNS.get(grouping, 0 if grouping == "random" else 2) / 2
    names = {"groups.md", "serving.png"} | (set() if grouping == "random" else {"matrix.csv", "matrix.png"})
    assert {file.name for file in path.with_suffix("").iterdir()} == names
    if grouping != "random":
        assert (
            (path.with_suffix("") / "matrix.csv").read_text().startswith("source,segmentation,depth_zbuffer,normal\n")
        )
    report = mtl_bench("report", "--markdown", "-")
    assert report.status == 0, report.err
    assert f"| {entry['label']} |" in report.out
    assert f"{entry['label']}: networks" in report.out
    # runs on some of the tasks have no table of their own
    assert report.out.count("**rooms_quick**") <= 1


def test_every_stage_is_found_again(mtl_bench: Type, folder: Path) -> None:
    first = mtl_bench(*GROUP)
    assert first.status == 0, first.err
    before, entry = records(folder), next(folder.glob("runs/rooms_quick/entries/*.json"))
    written = entry.read_text()
    entry.unlink()  # as after a kill between the last training and the entry
    lost = next(path for path in before if "/ls/" in str(path) or "/single/" in str(path))
    lost.unlink()
    again = mtl_bench(*GROUP)
    assert again.status == 0, again.err
    after = records(folder)
    assert entry.read_text() == written
    assert {path for path in after if after[path] != before[path]} == {lost}


def test_a_sweep_of_budgets_shares_its_measurement(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench(*GROUP[:-1], "-m", "budget=1,3")
    assert typed.status == 0, typed.err
    assert len(list(folder.glob("runs/rooms_quick/entries/*.json"))) == 2
    assert len(list(folder.glob("runs/rooms_quick/tag/*/seed-0/record.json"))) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["budget=0"], "budget counts networks, 1 or more; got 0"),
        (["budget=two"], "budget counts networks, 1 or more; got 'two'"),
        (["seed=3"], "give them as seeds=[0,1,2]"),
        (["objective=mean"], "nothing here reads it; leave it out."),
        (["seeds=[]"], "seeds is a list of different seeds"),
        (["seeds=[1,1]"], "seeds is a list of different seeds"),
        (["only=[normal]"], "Grouping needs two tasks or more"),
        (
            ["grouping.measure.loookahead=1"],
            "grouping.measure.loookahead is no argument of TAG; did you mean lookahead?",
        ),
        (["protocol.training.budget.amount=1"], "with seed 0 measured nothing; let it train for a whole epoch"),
        (["grouping.finding=nothing"], "found no 3 × 3 matrix 'nothing'"),
        (["grouping=hoa", "+protocol.training.val=none"], "groups are chosen on validation"),
        (["grouping=other"], "There is no grouping 'other'; choose among cs,"),
    ],
    ids=" ".join,
)
def test_mistakes_get_one_sentence(mtl_bench: Type, words: list[str], said: str) -> None:
    kept = [word for word in GROUP if word.split("=")[0] not in {one.split("=")[0] for one in words}]
    typed = mtl_bench(*kept, *words)
    assert typed.status == 1
    assert said in typed.err
    assert len(typed.err.strip().splitlines()) <= 2


def test_a_run_that_did_not_converge_chooses_nothing(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench(*GROUP, "protocol.training.optimizer.lr=1e30")
    assert typed.status == 1
    assert "with seed 0 did not converge; leave that seed out of seeds" in typed.err
    assert not list(folder.glob("runs/rooms_quick/entries/*.json"))


def test_the_groups_method_is_told_unless_it_is_plain(mtl_bench: Type, folder: Path) -> None:
    for words in ([], ["+method.scale_heads=true"], ["method=uw"]):  # the second is a default written out
        assert mtl_bench(*GROUP, "grouping=random", *words).status == 0
    entries = [json.loads(path.read_text())["label"] for path in folder.glob("runs/rooms_quick/entries/*.json")]
    assert sorted(entries) == ["random (b=2, draw=0)", "random (b=2, draw=0, uw)"]


def test_single_task_baselines_are_trained_as_well(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench(*GROUP, "grouping=random", "single_task=true")
    assert typed.status == 0, typed.err
    assert len(list(folder.glob("runs/rooms_quick/single/*/seed-*/record.json"))) == 3 * 2
    assert "Δm is left out" not in mtl_bench("report", "--experiment", "rooms_quick").out


def test_a_missing_run_is_named(mtl_bench: Type, folder: Path) -> None:
    assert mtl_bench(*GROUP, "grouping=random").status == 0
    for path in records(folder):
        path.unlink()
    typed = mtl_bench("report")
    assert typed.status == 1
    assert "whose record is not in these folders" in typed.err


def test_a_damaged_entry_is_named(mtl_bench: Type, folder: Path) -> None:
    path = folder / "runs/rooms_quick/entries/tag-b2-0.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    typed = mtl_bench("report")
    assert typed.status == 1
    assert "cannot be used (entry.schema is missing)" in typed.err or "is missing" in typed.err
