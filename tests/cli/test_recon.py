"""`mtl-bench recon` as typed: an entry beside the plain model, stages found again, mistakes in one sentence."""

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL_ROOMS, Type

SHORT = [word for word in SMALL_ROOMS if not word.startswith("protocol.")]
EPOCHS = ["protocol.training.batch_size=8", "protocol.training.budget.amount=2"]
RECON = ["recon", "experiment=rooms_quick", *SHORT, *EPOCHS, "model.width=4", "seeds=[0,1]", "top=3"]


def records(folder: Path) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(path.read_text()) for path in sorted(folder.glob("runs/rooms_quick/*/*/*/record.json"))]


def test_leaves_an_entry_beside_the_plain_model(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench(*RECON, "single_task=true")
    assert typed.status == 0, typed.err
    (path,) = folder.glob("runs/rooms_quick/entries/*.json")
    entry = json.loads(path.read_text())
    assert (len(entry["split"]), entry["label"]) == (3, "recon (top=3, S=-0.1)")
    by_hash = {record["hash"]: record for record in records(folder)}
    trained = by_hash[entry["groups"][0]["hash"]]
    (measured,) = (by_hash[digest] for digest in entry["measured_by"])
    (plain,) = (r for r in by_hash.values() if r["method"]["name"] == "ls" and r is not trained)
    assert trained["config"]["model"]["split"] == entry["split"]
    assert measured["counts"]["batches"] == 2  # one epoch, half of the training's two
    assert plain["experiment"]["hash"] == entry["experiment"]["hash"] != trained["experiment"]["hash"]
    assert trained["baselines"] == plain["baselines"]
    with (path.with_suffix("") / "layers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["layer"] for row in rows if row["split"] == "true"] == entry["split"]
    assert {row["pairs"] for row in rows} == {str(2 * 2 * 3)}  # seeds, batches, pairs of three tasks
    assert (path.with_suffix("") / "layers.png").is_file()
    report = mtl_bench("report", "--markdown", "-")
    assert report.status == 0, report.err
    assert report.out.count("rooms_quick ·") == 1  # no run here has a table of its own
    row = next(line for line in report.out.splitlines() if line.startswith("| recon (top=3"))
    assert f"| {trained['parameters']:,} |" in row
    assert f"which makes {trained['parameters']:,} parameters of {plain['parameters']:,}" in report.out
    findings = mtl_bench("report", "--findings", "findings.png")
    assert findings.status == 0, findings.err


def test_every_stage_is_found_again_and_other_methods_train_the_split_model(mtl_bench: Type, folder: Path) -> None:
    assert mtl_bench(*RECON, "plain=false").status == 0
    (path,) = folder.glob("runs/rooms_quick/entries/*.json")
    written, before = path.read_text(), records(folder)
    path.unlink()  # as after a kill between the last training and the entry
    again = mtl_bench(*RECON, "plain=false")
    assert again.status == 0, again.err
    assert (path.read_text(), records(folder)) == (written, before)
    other = mtl_bench(*RECON, "plain=false", "method=pcgrad")
    assert other.status == 0, other.err
    names = {json.loads(p.read_text())["label"] for p in folder.glob("runs/rooms_quick/entries/*.json")}
    assert names == {"recon (top=3, S=-0.1)", "recon (top=3, S=-0.1, pcgrad)"}
    assert len(records(folder)) == len(before) + 2  # both chose from one measurement
    typed = mtl_bench("train", "--config-dir", str(path.with_suffix("")), f"experiment={path.stem}", "method=uw")
    assert typed.status == 0, typed.err
    (record,) = (json.loads(p.read_text()) for p in folder.glob(f"runs/{path.stem}/uw/*/*/record.json"))
    assert record["config"]["model"]["split"] == json.loads(written)["split"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["top=0"], "top counts layers of this model, 1 to 52; got 0"),
        (["top=53"], "top counts layers of this model, 1 to 52; got 53"),
        (["share=0"], "share is the part of the training in which conflicts are counted, in (0, 1]; got 0"),
        (["plain=no"], "plain must be true or false, got 'no'"),
        (["seed=3"], "give them as seeds=[0,1,2]"),
        (["objective=mean"], "nothing here reads it; leave it out."),
        (["only=[normal]"], "Tasks conflict where there are two or more"),
        (["conflicts.severity=2"], "severity is a cosine above −1 and at most 1, got 2"),
        (["conflicts.sevrity=0"], "conflicts.sevrity is no argument of LayerConflicts; did you mean severity?"),
        ([*SMALL_ROOMS[-2:]], "let it train for a whole epoch (a larger share)"),
        (["protocol.training.optimizer.lr=1e30"], "did not converge with seed 0; leave that seed out of seeds"),
    ],
    ids=" ".join,
)
def test_mistakes_get_one_sentence(mtl_bench: Type, folder: Path, words: list[str], said: str) -> None:
    kept = [word for word in RECON if word.split("=")[0] not in {one.split("=")[0] for one in words}]
    typed = mtl_bench(*kept, *words)
    assert typed.status == 1
    assert said in typed.err
    assert len(typed.err.strip().splitlines()) <= 2
    assert not list(folder.glob("runs/rooms_quick/entries/*.json"))


def test_a_model_that_cannot_be_split_says_so_before_anything_is_trained(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("recon", "experiment=multidigits", "model=nine_layer_cnn", "model.widths=[4,4,6,6]")
    assert typed.status == 1
    assert "NineLayerCNN cannot be split" in typed.sentence
    assert not list(folder.glob("runs/multidigits/layer_conflicts/*"))


def test_an_auxiliary_task_trains_along_and_stands_on_no_board(mtl_bench: Type, folder: Path) -> None:
    auxiliary = "protocol.reporting.delta_m.terms.segmentation=[]"
    typed = mtl_bench(*RECON, "single_task=true", auxiliary)
    assert typed.status == 0, typed.err
    (path,) = folder.glob("runs/rooms_quick/entries/*.json")
    entry = json.loads(path.read_text())
    assert list(entry["delta_m"]["terms"]) == list(entry["baselines"]) == ["depth_zbuffer", "normal"]
    report = mtl_bench("report", "--markdown", "-")
    assert report.status == 0, report.err
    assert "| recon (top=3" in report.out
