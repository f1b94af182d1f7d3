"""Whole runs on CUDA, stopped three times, are the undisturbed ones, bit for bit, where determinism is asked for."""

from pathlib import Path

import pytest
import torch

from mtl_bench.job import compose_plan
from tests.runs import METHODS, REQUIRED, ROOMS, STOPS, Compose, assert_same, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
WHERE = {"device": "cuda", "deterministic": True}


@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_is_the_undisturbed_one(method: str, compose: Compose, tmp_path: Path) -> None:
    plan = compose(f"method={method}", *REQUIRED.get(method, []))
    whole = train(plan, tmp_path / "whole", place=WHERE)
    assert whole.record["converged"]
    assert whole.record["environment"]["device"] == "cuda"
    assert_same(train(plan, tmp_path / "stopped", STOPS, WHERE), whole)


@pytest.mark.parametrize(
    "options",
    [
        ["method=stgu", "method.warmup=3"],
        ["model=segnet", "method=mgda"],
        ["model.task_norm=true", "method=cso"],
        ["method=tag", "method.period=2", "method.measure=all"],
    ],
    ids=" ".join,
)
def test_dense_tasks_have_deterministic_kernels(options: list[str], data: Path, tmp_path: Path) -> None:
    size = ["protocol.training.batch_size=4", "protocol.training.budget.amount=3"]
    plan = compose_plan([*ROOMS, *size, *options], data)
    whole = train(plan, tmp_path / "whole", place=WHERE)
    assert whole.record["converged"]
    assert_same(train(plan, tmp_path / "stopped", (1, 4, 6), WHERE), whole)
