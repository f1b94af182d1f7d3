"""The single-task runs of a record, found below folders whatever else lies there."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.errors import Damaged
from mtl_bench.records import Record
from mtl_bench.records.entry import save_entry
from mtl_bench.results.baselines import find_baselines, single_task_means
from tests.results.conftest import Make, Runs
from tests.results.test_tuned_rows import TRIALS, tuned

BATCHES_OF_8 = {"protocol": {"reporting": {"evaluation_batch_size": 8}}}


def write(records: Sequence[Record], root: Path) -> list[Path]:
    paths = [root / f"run-{n}" / "record.json" for n in range(len(records))]
    for path, record in zip(paths, records, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record))
    return paths


def test_means_over_seeds(record: Make, single: Runs, tmp_path: Path) -> None:
    means_of_batches: dict[str, Any] = {"tasks": {"left": {"aggregation": "batch_mean"}}}
    runs = [one | {"config": means_of_batches} for one in single(left=(79, 80), right=(0.4, 0.6, 0.8))]
    other = record("single", 1.0, None, hash="left-hash", selection="best_val(accuracy)", seed=7)
    smaller = record("single", 1.0, None, hash="left-hash", config={**means_of_batches, **BATCHES_OF_8}, seed=8)
    write([*runs, other, smaller, record("uw", 1.0, 1.0)], tmp_path)
    mine = record("ls", 70.0, 0.5, config=means_of_batches)
    found = find_baselines(mine, [tmp_path, tmp_path])
    assert [one["hash"] for one in found] == ["left-hash"] * 2 + ["right-hash"] * 3
    means = single_task_means(mine, found)
    assert means == {"left": {"accuracy": 79.5}, "right": {"abs_err": pytest.approx(0.6)}}
    assert single_task_means(mine, found[:2]) == {"left": {"accuracy": 79.5}}


def test_trials_of_a_search_are_no_baselines(record: Make, single: Runs, tmp_path: Path) -> None:
    """Its first trial of a task alone is the configuration as it stands."""
    write([*single(), record("single", 99.0, None, seed=TRIALS, hash="left-hash")], tmp_path)
    mine = record("ls", 70.0, 0.5)
    assert len(find_baselines(mine, [tmp_path])) == 7
    (tmp_path / "entries").mkdir()
    save_entry(tmp_path / "entries" / "a.json", tuned(mine, "single-task", {"left": "left-hash"}))
    assert [one["seed"] for one in find_baselines(mine, [tmp_path])] == [0, 1, 2] * 2


def test_no_mean_hides_a_seed_that_did_not_converge(record: Make, single: Runs) -> None:
    runs = single(left=(79, 80, 90))
    runs[2]["converged"] = False
    assert list(single_task_means(record("ls", 70.0, 0.5), runs)) == ["right"]


def test_validation_means_need_validation(record: Make, single: Runs) -> None:
    spent: dict[str, Any] = {"identity": {"training": {"budget": {"amount": 1}}}, "evaluations": [{"epoch": 1.0}]}
    runs = [one | {"val": one["test"], **spent} for one in single()]
    mine = record("ls", 70.0, 0.5) | {"val": record("ls", 70.0, 0.5)["test"]}
    assert single_task_means(mine, runs, "val") == single_task_means(mine, runs)
    runs[0] |= {"val": {}}
    assert list(single_task_means(mine, runs, "val")) == ["right"]


def test_damaged_records_are_told_once_and_the_rest_is_found(record: Make, single: Runs, tmp_path: Path) -> None:
    first, *_ = write(single(), tmp_path)
    first.write_text("{")
    damaged: list[Damaged] = []
    for _ in range(2):
        assert len(find_baselines(record("ls", 70.0, 0.5), [tmp_path], damaged)) == 5
    assert [str(error).partition(" is damaged")[0] for error in damaged] == [str(first)]
    with pytest.raises(Damaged, match="is damaged"):
        find_baselines(record("ls", 70.0, 0.5), [tmp_path])


def test_a_record_that_changed_is_read_again(record: Make, single: Runs, tmp_path: Path) -> None:
    first, *_ = write(single(), tmp_path)
    mine = record("ls", 70.0, 0.5)
    assert len(find_baselines(mine, [tmp_path])) == 6
    first.unlink()
    assert len(find_baselines(mine, [tmp_path])) == 5
