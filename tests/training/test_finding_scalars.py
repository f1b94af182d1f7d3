"""What a method tells after each epoch: in the record, and as scalars for loggers."""

import json
from collections.abc import Mapping
from pathlib import Path

from mtl_bench.job import compose_plan
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import run_cell
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.loggers.finding_scalars import scalars
from mtl_bench.training.trainer import Options
from tests.runs import PER_EPOCH, REQUIRED, TINY


class Kept(NoLogger):
    def __init__(self) -> None:
        self.values: list[tuple[int, str, float]] = []

    def log(self, values: Mapping[str, float], batch: int) -> None:
        self.values += [(batch, name, value) for name, value in values.items()]


def test_numbers_by_name_and_the_rest_left_to_the_record() -> None:
    found = {
        "share": 0.5,
        "affinity": [[1.0, 0.25], [None, 2.0]],
        "priority": {"conv1.weight": [0.75, 0.25]},
        "groups": [["left"], ["right"]],
        "serving": [0, 1],
        "label": "left",
        "other": [1.0, 2.0, 3.0],
    }
    assert dict(scalars("method", found, ["left", "right"])) == {
        "method/share": 0.5,
        "method/affinity/left/left": 1.0,
        "method/affinity/left/right": 0.25,
        "method/affinity/right/right": 2.0,
        "method/priority/conv1.weight/left": 0.75,
        "method/priority/conv1.weight/right": 0.25,
    }


def test_a_run_keeps_them_by_epoch(data: Path, tmp_path: Path) -> None:
    logger = Kept()
    plan = compose_plan([*TINY, "method=cso", *REQUIRED["cso"]], data)
    record = run_cell(plan, Place(tmp_path, device="cpu"), Options(progress=False), logger).record
    findings = json.loads(json.dumps(record["findings"]))
    assert [row["epoch"] for row in findings] == [1, 2]
    assert findings[0]["phase_1"] == 1.0  # at epoch 0 of 2 every batch is of phase 1
    assert all(abs(sum(row["priority"]["encoder.1.weight"]) - 1) < 1e-6 for row in findings)
    logged = {(batch, name) for batch, name, _ in logger.values if name.startswith("method/")}
    names = ["phase_1", "priority/encoder.1.weight/left", "priority/encoder.1.weight/right"]
    assert logged == {(n * PER_EPOCH, f"method/{name}") for n in (1, 2) for name in names}


def test_a_method_without_findings_leaves_none(data: Path, tmp_path: Path) -> None:
    plan = compose_plan([*TINY, "method=ls"], data)
    record = run_cell(plan, Place(tmp_path, device="cpu"), Options(progress=False), NoLogger()).record
    assert "findings" not in record
