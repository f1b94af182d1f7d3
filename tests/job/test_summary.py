"""What stands at the end of a run, on records made up."""

from pathlib import Path
from typing import Any

import pytest

from mtl_bench.job.summary import show_run
from mtl_bench.records import Record
from mtl_bench.records.folder import RunFolder
from mtl_bench.training.cell import Outcome
from tests.job.test_objective import record, singles

REST: dict[str, Any] = {
    "experiment": {"name": "toys", "hash": "e1" * 32},
    "measured": {"seconds": 1.0, "seconds_per_step": 0.01},
    "counts": {"optimizer_steps": 10, "passes": 20},
    "failures": {"nonfinite_steps": 0, "solver": 0},
}


def shown(baselines: list[Record], capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, float], str]:
    outcome = Outcome(record(60.0, 1.5, **REST), RunFolder(Path("runs"), "toys", "uw", "0" * 64, 0), skipped=False)
    summary = show_run(outcome, baselines, [], "mtl-bench train …")
    return summary, " ".join(capsys.readouterr().out.split())


def test_delta_m_is_that_of_the_board(capsys: pytest.CaptureFixture[str]) -> None:
    left, right = singles()
    left["test"], right["test"] = {"a": {"up": 2e9}}, {"b": {"down": 2e9, "up": 1.0}}
    summary, said = shown([left, right], capsys)
    assert summary["delta_m"] == pytest.approx((-50 + 50) / 2)
    assert "Δm +0.00 % (task_mean, higher is better)" in said
    other = left | {"seed": 3, "converged": False}
    summary, said = shown([left, other, right], capsys)  # type: ignore[list-item]
    assert "delta_m" not in summary
    assert "Δm is left out: the single-task run of a did not converge with seed 3." in said
