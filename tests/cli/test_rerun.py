"""`mtl-bench rerun`: a record's command is typed again and its numbers compared."""

import json
import re
from pathlib import Path
from typing import Any

from tests.cli.conftest import FAST, Type


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
    assert re.search(r"^left\.accuracy +[\d.]+ +[\d.]+ +-1 *$", typed.out, re.M)
    assert typed.sentence == "mtl-bench: 1 value differs from the record, in the environment that it names."


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


def elsewhere(record: dict[str, Any]) -> None:
    record["environment"] |= {"device_name": "Another Processor", "data": "0" * 64}
    record["environment"]["versions"]["torch"] = "0.1"


def test_another_environment_is_said_first_and_how_far_results_are_apart(mtl_bench: Type, folder: Path) -> None:
    """As a processor of another kind leaves them: every measured value a little off."""
    assert mtl_bench("train", "-m", *FAST, "seed=0,1,2", "single_task=true").status == 0
    path = next(folder.glob("runs/*/ls/*/seed-0/record.json"))
    record = json.loads(path.read_text())
    elsewhere(record)
    for metrics in (*record["test"].values(), *record["val"].values()):
        for name in metrics:
            metrics[name] *= 1.001
    for one in record["evaluations"]:
        one["train"] = {task: loss * 1.001 for task, loss in one["train"].items()}
    path.write_text(json.dumps(record))
    typed = mtl_bench("rerun", str(path))
    assert typed.status == 1
    told = typed.out[typed.out.index("The record was made in another environment, so last digits differ:") :]
    assert "environment.device_name: Another Processor in the record, " in told
    assert f"environment.data: {'0' * 12} in the record, " in told
    assert "environment.versions.torch: 0.1 in the record, " in told
    assert told.index("environment.versions.torch") < told.index("left.accuracy")
    assert re.search(r"^left\.accuracy +[\d.]+ +[\d.]+ +[-+][\de.-]+ +[\d.]+ *$", told, re.M)
    assert re.search(r"^Δm % +[-\d.]+ +[-\d.]+ +[-+][\de.-]+ +[\d.]+ *$", told, re.M)
    assert "SD: of the 3 seeds of this row" in told
    assert "… and " in told
    assert " values differ from the record; another environment explains that while the test" in typed.sentence


def test_another_environment_with_the_same_results(mtl_bench: Type, folder: Path) -> None:
    (path,) = (folder / "runs").rglob("record.json")
    record = json.loads(path.read_text())
    elsewhere(record)
    path.write_text(json.dumps(record))
    typed = mtl_bench("rerun", str(path))
    assert typed.status == 0, typed.err
    assert "The record was made in another environment\nenvironment.device_name" in typed.out
    assert typed.words.endswith("Every result is that of the record, to the last digit.")
