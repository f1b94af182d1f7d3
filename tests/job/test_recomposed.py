"""A record's configuration is composed again and must mean what the record says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.job.recomposed import check_meaning
from mtl_bench.records import Record
from mtl_bench.records.record import load_record

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
Edit = Callable[[dict[str, Any]], None]


def committed(pattern: str) -> Record:
    return load_record(next(iter(sorted(REFERENCE.glob(f"{pattern}/record.json")))))


@pytest.mark.parametrize("method", ["famo", "single"])
def test_a_committed_record_means_what_it_says(method: str) -> None:
    assert list(check_meaning(committed(f"rooms/{method}/*/seed-0"))) == []


def another_board(record: dict[str, Any]) -> None:
    record["experiment"]["hash"] = "0" * 64


def weaker_baselines(record: dict[str, Any]) -> None:
    record["baselines"]["normal"] = "0" * 64


def longer(record: dict[str, Any]) -> None:
    record["config"]["protocol"]["training"]["budget"]["amount"] = 60


def another_label(record: dict[str, Any]) -> None:
    record["method"]["label"] = "famo (gamma=0)"


def another_name(record: dict[str, Any]) -> None:
    record["method"] = {"name": "ls", "label": "ls"}


def no_task(record: dict[str, Any]) -> None:
    del record["config"]["tasks"]["normal"]


def no_protocol(record: dict[str, Any]) -> None:
    del record["config"]["protocol"]


def other_terms(record: dict[str, Any]) -> None:
    record["delta_m"]["terms"] = {task: ["cross_entropy"] for task in record["delta_m"]["terms"]}


def turned_round(record: dict[str, Any]) -> None:
    record["metrics"]["normal"]["mean"]["higher_is_better"] = True


def another_selection(record: dict[str, Any]) -> None:
    record["selection"] = "mean_last_1"


def remark(edit: Edit) -> tuple[bool, str]:
    """The only one on a committed record that was edited."""
    record = json.loads(json.dumps(committed("rooms/famo/*/seed-0")))
    edit(record)
    (found,) = check_meaning(record)
    return found


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (other_terms, "its Δm is not that of its configuration"),
        (turned_round, "its metrics are not those of its configuration"),
        (another_selection, "its selection rule is not that of its configuration"),
        (another_board, "it is on a foreign board"),
        (weaker_baselines, "its Δm is against others"),
        (longer, "its configuration has another training.budget.amount than its identity"),
        (another_label, "its label is not that of its method and options"),
        (another_name, "is called ls, and its class is another"),
        (no_task, "its configuration lacks 'normal'"),
        (no_protocol, "its configuration lacks 'protocol'"),
    ],
)
def test_an_edit_is_wrong(edit: Edit, says: str) -> None:
    wrong, text = remark(edit)
    assert wrong
    assert says in text


def an_older_class(record: dict[str, Any]) -> None:
    record["identity"]["model"]["_revision_"] = 0


def a_class_that_is_not_here(record: dict[str, Any]) -> None:
    for node in (record["config"]["method"], record["identity"]["method"]):
        node["_target_"] = "nobodys.Method"
    record["method"] = {"name": "Method", "label": "Method"}


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (an_older_class, "was trained by another version of model"),
        (a_class_that_is_not_here, "cannot be composed here: method._target_=nobodys.Method cannot be imported"),
    ],
)
def test_another_version_is_told(edit: Edit, says: str) -> None:
    wrong, text = remark(edit)
    assert not wrong
    assert says in text


def test_a_class_that_is_not_here_is_on_a_checked_board() -> None:
    for edit in (another_board, longer):
        record = json.loads(json.dumps(committed("rooms/famo/*/seed-0")))
        a_class_that_is_not_here(record)
        edit(record)
        assert [wrong for wrong, _ in check_meaning(record)] == [True, False]
