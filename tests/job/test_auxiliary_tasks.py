"""A task that trains along and counts in no Δm needs no baseline, and no board shows it."""

from dataclasses import replace
from pathlib import Path

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.job import Job, compose_job
from mtl_bench.job.task_groups import group
from mtl_bench.records.record import find_records
from mtl_bench.results import leaderboard
from tests.runs import TINY

AUXILIARY = [*TINY, "protocol.training.budget.amount=2", "protocol.training.budget.unit=batches"]
AUXILIARY += ["protocol.reporting.delta_m.terms.right=[]", "options.progress=false"]


def composed(data: Path, runs: Path, *overrides: str) -> Job:
    places = [f"paths.{name}={path}" for name, path in (("data", data), ("runs", runs), ("reference", runs))]
    return compose_job([*AUXILIARY, *places, *overrides])


def test_an_auxiliary_task_trains_and_does_not_count(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = composed(data, tmp_path, "single_task=true")
    record = job.train()
    assert (record["tasks"], list(record["test"])) == (["left", "right"], ["left", "right"])
    assert list(record["baselines"]) == list(record["delta_m"]["terms"]) == ["left"]
    assert sorted(one["tasks"] for one in find_records([tmp_path])) == [["left"], ["left", "right"]]
    assert "higher is better) against single-task" in capsys.readouterr().out
    assert job.score(record) is not None
    board = leaderboard(find_records([tmp_path]))
    assert {column.task for column in board.columns} == {"left"}
    assert sorted(row.label for row in board.rows) == ["ls", "single-task"]


def test_nothing_counts_without_the_others(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"No metric of right counts in Δm .*; train auxiliary tasks beside others"):
        composed(data, tmp_path, "only=[right]").train()


def test_groups_are_of_tasks_that_count(data: Path, tmp_path: Path) -> None:
    job = composed(data, tmp_path)
    chosen = {"grouping": {"_target_": "mtl_bench.pipeline.RandomPartition"}, "seeds": [0], "budget": 1}
    with pytest.raises(BenchError, match=r"leave those out with only=\[left\]"):
        group(replace(job, plain={**job.plain, **chosen}))
