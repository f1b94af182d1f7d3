"""A training with `logger=wandb`, read back from the file it wrote."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.records.record import Record, find_records
from tests.wandb_files import written

REPOSITORY = Path(__file__).parents[2]
COMMAND = [
    "train",
    "experiment=multidigits",
    "logger=wandb",
    "single_task=true",
    "model=mlp",
    "protocol.training.batch_size=600",
    "protocol.training.budget.amount=2",
    "options.log_every=2",
    "diagnostics.every=3",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, dict[str, Any]]:
    """The record of the `ls` run and its W&B file; single-task runs were trained first."""
    folder = tmp_path_factory.mktemp("logged")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("WANDB_")}
    subprocess.run(
        [sys.executable, "-m", "mtl_bench.cli", *COMMAND],
        env=kept | {"HOME": str(folder), "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = (folder / "runs" / "multidigits" / "ls").rglob("record.json")
    return find_records([path.parent])[0], written(path.parent)


def test_seeds_of_one_identity_share_a_group(run: tuple[Record, dict[str, Any]]) -> None:
    record, logged = run
    assert logged["group"] == record["hash"]
    assert logged["id"] == f"{record['hash'][:12]}-0"
    assert logged["config"]["method"]["_target_"] == record["config"]["method"]["_target_"]


def test_validation_losses_weights_and_diagnostics_are_logged(run: tuple[Record, dict[str, Any]]) -> None:
    record, logged = run
    last = record["evaluations"][-1]
    found = [row for row in logged["history"] if "val/left/accuracy" in row]
    assert found[-1]["val/left/accuracy"] == last["val"]["left"]["accuracy"]
    assert found[-1]["train/right/epoch_loss"] == last["train"]["right"]
    keys = set().union(*logged["history"])
    assert keys >= {"train/left/loss", "seconds_per_step", "lr", "weights/left", "diagnostics/cosine/left-right"}
    probes = [row for row in logged["history"] if "diagnostics/share/left" in row]
    mean = sum(row["diagnostics/share/left"] for row in probes) / len(probes)
    assert record["shares"] == pytest.approx({"left": mean, "right": 1 - mean}, rel=1e-6)
    cosine = sum(row["diagnostics/cosine/left-right"] for row in probes) / len(probes)
    assert record["cosines"] == [[1, pytest.approx(cosine)], [pytest.approx(cosine), 1]]


def test_test_metrics_and_delta_m_come_once_at_the_end(run: tuple[Record, dict[str, Any]]) -> None:
    record, logged = run
    assert logged["summary"]["test/left/accuracy"] == record["test"]["left"]["accuracy"]
    assert abs(logged["summary"]["delta_m"]) < 100
    assert not any(key.startswith("test/") for row in logged["history"] for key in row)
