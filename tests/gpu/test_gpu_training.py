"""Methods train on CUDA, agree with the CPU where they can, and go on bit for bit from a checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl_bench.methods.base import Method
from mtl_bench.methods.famo import FAMO
from mtl_bench.methods.graddrop import GradDrop
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.mgda import MGDA
from mtl_bench.methods.pcgrad import PCGrad
from mtl_bench.methods.stgu import STGU
from mtl_bench.step.snapshot import global_random_state, set_global_random_state
from mtl_bench.training.checkpoint import load_checkpoint, save_checkpoint
from mtl_bench.training.machine import Machine
from tests.step.toys import (
    Attention,
    OneTensor,
    differing,
    everything,
    make_batch,
    make_context,
    make_machine,
    make_step,
)

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
METHODS: list[Callable[[], Method]] = [LinearScalarization, PCGrad, MGDA, GradDrop, FAMO]


@pytest.fixture(autouse=True)
def _deterministic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)


def start(build: Callable[[], Method], device: str = "cuda", **options: Any) -> tuple[Machine, Method]:
    machine = make_machine(device=device, **options)
    method = build()
    method.setup(make_context(machine))
    return machine, method


def train(machine: Machine, method: Method, seeds: range) -> list[float]:
    losses = []
    for seed in seeds:
        absent = ["pose"] if seed % 3 == 2 else []
        method.update(make_step(machine, make_batch(seed=seed, unlabelled=absent, device=machine.device.type)))
        losses.append(machine.ledger.batch_losses().nansum().item())
    return losses


@pytest.mark.parametrize("build", METHODS)
def test_a_few_steps_are_finite_and_move(build: Callable[[], Method]) -> None:
    machine, method = start(build, dtype=torch.float32)
    before = everything(machine)
    assert all(torch.tensor(train(machine, method, range(6))).isfinite())
    assert "model.conv.weight" in differing(before, everything(machine))
    assert machine.ledger.failures.totals.tolist() == [0, 0]


@pytest.mark.parametrize("build", [LinearScalarization, PCGrad, MGDA, FAMO, lambda: STGU(warmup=2)])
def test_the_cpu_agrees(build: Callable[[], Method]) -> None:
    """In float64, on a model without dropout; GradDrop draws on the device."""
    ends = []
    for device in ("cpu", "cuda"):
        machine, method = start(build, device, model=Attention)
        train(machine, method, range(5))
        ends.append({name: p.detach().cpu() for name, p in machine.model.named_parameters()})
    for name, p in ends[0].items():
        torch.testing.assert_close(ends[1][name], p, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("build", METHODS)
def test_a_checkpoint_goes_on_bit_for_bit(build: Callable[[], Method], tmp_path: Path) -> None:
    machine, method = start(build)
    train(machine, method, range(3))
    state = {
        "environment": {},
        "model": machine.model.state_dict(),
        "optimizer": machine.mover.optimizer.state_dict(),
        "method": method.state_dict(),
        "generator": machine.mover.generator.get_state(),
        "device_generator": machine.mover.device_generator.get_state(),
        "dropout": global_random_state(machine.device),
    }
    save_checkpoint(tmp_path / "checkpoint.pt", state)
    expected = train(machine, method, range(3, 6))
    resumed, again = start(build)
    torch.rand(100, device="cuda")
    saved = load_checkpoint(tmp_path / "checkpoint.pt", resumed.device, {}, "exact")
    resumed.model.load_state_dict(saved["model"])
    resumed.optimizer.load_state_dict(saved["optimizer"])
    again.load_state_dict(saved["method"])
    resumed.generator.set_state(saved["generator"])
    resumed.device_generator.set_state(saved["device_generator"])
    set_global_random_state(resumed.device, saved["dropout"])
    assert train(resumed, again, range(3, 6)) == expected
    assert not differing(everything(machine), everything(resumed))


@pytest.mark.parametrize("rule", ["sgd", "optimizer"])
def test_a_trial_leaves_nothing_behind(rule: str) -> None:
    machine, method = start(LinearScalarization, model=OneTensor)
    train(machine, method, range(2))
    step = make_step(machine, make_batch(device="cuda"))
    before = everything(machine)
    with step.trial():
        step.backward(step.losses(), torch.ones(3, device="cuda"))
        step.apply(rule=rule)  # type: ignore[arg-type]
        torch.rand(3, device="cuda")
        torch.rand(3, device="cuda", generator=step.device_generator)
    assert not differing(before, everything(machine))
    losses = step.losses()
    assert torch.equal(step.losses(grad=False).values, losses.values)
