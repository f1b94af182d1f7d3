"""`mtl-bench rerun`: a record's command is typed again and its numbers compared."""

import json
from pathlib import Path

from tests.cli.conftest import Type


def test_a_run_is_repeated_to_the_last_digit(mtl_bench: Type, folder: Path) -> None:
    (path,) = (folder / "runs").rglob("record.json")
    typed = mtl_bench("rerun", str(path.parent))
    assert typed.status == 0, typed.err
    assert "mtl-bench train experiment=multidigits model=mlp method=ls" in typed.words
    assert "protocol.training.budget.amount=2" in typed.words
    assert typed.words.endswith("Every result is that of the record, to the last digit.")
    assert len(list((folder / "reruns").rglob("record.json"))) == 1


def test_the_command_alone(mtl_bench: Type, folder: Path) -> None:
    (path,) = (folder / "runs").rglob("record.json")
    typed = mtl_bench("rerun", str(path), "--print", "options.device=cpu")
    assert typed.status == 0
    assert typed.words.endswith("seed=0 options.device=cpu")
    assert not (folder / "reruns").exists()


def test_other_numbers_are_named(mtl_bench: Type, folder: Path) -> None:
    (path,) = (folder / "runs").rglob("record.json")
    record = json.loads(path.read_text())
    record["test"]["left"]["accuracy"] += 1
    path.write_text(json.dumps(record))
    typed = mtl_bench("rerun", str(path))
    assert typed.status == 1
    assert "test.left.accuracy:" in typed.out
    assert typed.sentence == "mtl-bench: 1 values differ from the record."


def test_what_records_gained_since_is_no_result(mtl_bench: Type, folder: Path) -> None:
    (path,) = (folder / "runs").rglob("record.json")
    record = json.loads(path.read_text())
    del record["parameters"], record["config"]["model"]["norm"]
    record["shares"] = {"left": 0.5, "right": 0.5}  # with diagnostics, which the command does not ask for
    path.write_text(json.dumps(record))
    typed = mtl_bench("rerun", str(path))
    assert typed.status == 0, typed.out
    assert typed.words.endswith("Every result is that of the record, to the last digit.")


def test_a_run_that_gave_up_is_compared(train: Type, mtl_bench: Type, folder: Path) -> None:
    given_up = ["tasks.left._target_=tests.cli.parts.NaN", "options.max_nonfinite=1"]
    assert train(*given_up, "paths.runs=lost").status == 1
    (path,) = (folder / "lost").rglob("record.json")
    typed = mtl_bench("rerun", str(path), "options.max_nonfinite=1")
    assert typed.status == 0, typed.err
    assert "lower the learning rate" in typed.words
    assert typed.words.endswith("Every result is that of the record, to the last digit.")


def test_what_means_another_run_today_is_said_so(mtl_bench: Type, folder: Path) -> None:
    (path,) = (folder / "runs").rglob("record.json")
    record = json.loads(path.read_text())
    record["hash"] = "0" * 64
    path.write_text(json.dumps(record))
    typed = mtl_bench("rerun", str(path))
    assert typed.status == 1
    assert "means another run today" in typed.sentence
    assert not (folder / "reruns").exists()


def test_without_a_configuration_there_is_no_command(mtl_bench: Type, folder: Path) -> None:
    (path,) = (folder / "runs").rglob("record.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"config": {}}))
    typed = mtl_bench("rerun", str(path))
    assert (typed.status, typed.out) == (1, "")
    assert typed.sentence == "mtl-bench: Its configuration is not whole, so no command trains it again."


def test_no_record_is_one_sentence(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("rerun", str(folder / "nowhere.json"))
    assert typed.status == 1
    assert len(typed.err.splitlines()) == 1
    assert "nowhere.json" in typed.sentence
