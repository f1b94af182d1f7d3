"""The dial with a known right answer: a loss ten times as large must not change a scale-invariant method."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mtl_bench.job import compose_plan
from tests.runs import ROOMS, begin

SGD = [
    "protocol.training.optimizer._target_=torch.optim.SGD",
    "protocol.training.optimizer.weight_decay=0",
    "+protocol.training.precision=fp64",
]


def moved(method: str, scale: float, data: Path, folder: Path) -> Tensor:
    """Direction in which one step moves the shared parameters."""
    overrides = [*ROOMS, *SGD, f"method={method}", f"+tasks.depth_zbuffer.loss_scale={scale}"]
    trainer = begin(compose_plan(overrides, data), folder)
    trainer.machine.model.train()
    shared = list(trainer.machine.shared.values())
    before = [parameter.detach().clone() for parameter in shared]
    batch = trainer.feed.split.batch(torch.arange(8))
    trainer.method.update(trainer.machine.step(batch))
    change = torch.cat([(new - old).flatten() for new, old in zip(shared, before, strict=True)])
    return (change / change.norm()).detach()


@pytest.mark.parametrize(("method", "invariant"), [("famo", True), ("ls", False), ("pcgrad", False)])
def test_who_sees_the_scale_of_a_loss(method: str, invariant: bool, data: Path, tmp_path: Path) -> None:
    """FAMO follows Σ z_k ∇ log l_k; the plain sum, and what is projected from it, follow the largest loss."""
    cosine = torch.dot(moved(method, 1.0, data, tmp_path / "1"), moved(method, 10.0, data, tmp_path / "10"))
    assert (cosine > 1 - 1e-10) == invariant
    assert invariant or cosine < 0.98


def test_metrics_do_not_see_it(data: Path, tmp_path: Path) -> None:
    found = [
        begin(
            compose_plan([*ROOMS, f"+tasks.normal.loss_scale={scale}"], data), tmp_path / str(scale)
        ).evaluator.metrics("test")
        for scale in (1.0, 10.0)
    ]
    assert found[0] == found[1]
