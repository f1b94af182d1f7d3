import copy
import math
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.errors import BenchError, Damaged
from mtl_bench.records.folder import RunFolder
from mtl_bench.records.record import (
    REQUIRED,
    find_records,
    has_converged,
    load_record,
    reproducible,
    save_record,
    validate,
)


def place(record: dict, root: Path) -> RunFolder:
    folder = RunFolder(root, "digits", "pcgrad", record["hash"], record["seed"])
    folder.create()
    save_record(folder.record, record)
    return folder


def change(record: dict, path: str, value: Any) -> dict:
    """A copy with the value at the dotted path replaced."""
    changed = copy.deepcopy(record)
    *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
    inside: Any = changed
    for key in parents:
        inside = inside[key]
    inside[last] = value
    return changed


def test_a_record_survives_the_disk(record: dict, tmp_path: Path) -> None:
    assert load_record(place(record, tmp_path).record) == record


def test_a_diverged_run_leaves_a_record(record: dict, tmp_path: Path) -> None:
    diverged = change(record, "test.left.accuracy", math.nan) | {"converged": False}
    assert math.isnan(load_record(place(diverged, tmp_path).record)["test"]["left"]["accuracy"])


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_key_is_named(record: dict, key: str) -> None:
    del record[key]
    with pytest.raises(BenchError, match=f"record.{key} is missing"):
        validate(record)


def test_a_missing_nested_key_is_named(record: dict) -> None:
    del record["evaluations"][1]["epoch"]
    with pytest.raises(BenchError, match=r"record\.evaluations\.1\.epoch is missing"):
        validate(record)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 3.5),
        ("seed", True),
        ("converged", 1),
        ("tasks", "left"),
        ("tasks.1", 7),
        ("test.left.accuracy", "0.9"),
        ("test.left.accuracy", None),
        ("metrics.right.accuracy.higher_is_better", "yes"),
        ("evaluations.0.val", None),
        ("delta_m.definition", "mean"),
        ("counts", None),
        ("config", []),
    ],
)
def test_an_ill_typed_value_is_named(record: dict, path: str, value: Any) -> None:
    with pytest.raises(BenchError, match=rf"record\.{path} is .* where .* is expected"):
        validate(change(record, path, value))


def test_an_invalid_record_is_not_written(record: dict, tmp_path: Path) -> None:
    with pytest.raises(BenchError):
        place(change(record, "counts", {}), tmp_path)
    assert not list(tmp_path.rglob("record.json"))


def test_find_records_reads_each_file_once(record: dict, tmp_path: Path) -> None:
    for seed in (2, 0, 1):
        place(record | {"seed": seed}, tmp_path)
    roots = [tmp_path, tmp_path / "digits", tmp_path / "digits" / "..", tmp_path / "missing"]
    assert [found["seed"] for found in find_records(roots)] == [0, 1, 2]


def test_find_records_names_the_damaged_file(record: dict, tmp_path: Path) -> None:
    place(record, tmp_path).record.write_text("{")
    with pytest.raises(BenchError, match=r"seed-3/record\.json is damaged"):
        find_records([tmp_path])


def test_an_unreadable_record_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"cannot be read \(No such file"):
        load_record(tmp_path / "record.json")


def test_only_measurements_are_not_reproducible(record: dict) -> None:
    assert set(record) - set(reproducible(record)) == {"measured"}
    again = change(record, "measured.seconds", 99.0)
    assert reproducible(again) == reproducible(record)


def test_find_records_goes_on_where_someone_is_told(record: dict, tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        place(record | {"seed": seed}, tmp_path)
    next(tmp_path.rglob("seed-1/record.json")).write_text("{")
    damaged: list[Damaged] = []
    assert [found["seed"] for found in find_records([tmp_path], damaged)] == [0, 2]
    assert len(find_records([tmp_path], damaged)) == 2
    assert [str(error).count("seed-1/record.json is damaged") for error in damaged] == [1]


@pytest.mark.parametrize(
    ("says", "skipped", "steps", "converged"),
    [
        (True, 0, 20, True),
        (True, 10, 20, True),
        (True, 11, 20, False),
        (True, 20, 20, False),
        (True, 0, 0, True),
        (False, 0, 20, False),
    ],
)
def test_a_run_most_of_whose_steps_were_skipped_has_not_converged(
    record: dict, says: bool, skipped: int, steps: int, converged: bool
) -> None:
    record["converged"] = says
    record["failures"]["nonfinite_steps"], record["counts"]["optimizer_steps"] = skipped, steps
    assert has_converged(record) is converged


def test_no_committed_record_changes_its_meaning() -> None:
    records = find_records([Path(__file__).parents[2] / "results"])
    assert records
    assert [has_converged(record) for record in records] == [record["converged"] for record in records]
