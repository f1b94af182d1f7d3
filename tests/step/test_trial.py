"""A trial leaves nothing behind, and later numbers are those of a run without it."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step import mover as mover_module
from mtl_bench.step.batch_step import BatchStep
from mtl_bench.training.machine import Machine
from tests.step.toys import (
    MODELS,
    OneTensor,
    adam,
    differing,
    everything,
    gradients_of,
    make_batch,
    make_machine,
    make_step,
    sgd,
)

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "adam": adam,
    "sgd": sgd,
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9),
}


def one_hot(task: int) -> Tensor:
    return torch.eye(3)[task]


def train(machine: Machine, seed: int) -> None:
    step = make_step(machine, make_batch(seed=seed))
    step.backward(step.losses(), torch.ones(3))
    step.apply()


def wild(step: BatchStep, rule: str) -> None:
    """Moves everything a trial may move."""
    for only in ("shared", "all"):
        step.backward(step.losses(), torch.ones(3))
        step.apply(only=only, rule=rule)  # type: ignore[arg-type]
    torch.randn(5)
    torch.randn(5, generator=step.generator)
    torch.randn(5, generator=step.device_generator)
    step.losses(grad=False)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("rule", ["sgd", "optimizer"])
@pytest.mark.parametrize(
    ("model", "optimizer"), [*((OneTensor, name) for name in OPTIMIZERS), *((model, "adam") for model in MODELS[1:])]
)
def test_everything_is_bit_identical_after_it(
    model: type[MultiTaskModel], optimizer: str, rule: str, trained: bool
) -> None:
    machine = make_machine(model, OPTIMIZERS[optimizer])
    if trained:  # else the optimizer's state is still empty
        train(machine, seed=1)
    step = make_step(machine)
    step.losses()
    before = everything(machine)
    with step.trial():
        wild(step, rule)
        assert "model." in "".join(differing(before, everything(machine)))
    assert not differing(before, everything(machine))
    assert not gradients_of(machine)


@pytest.mark.parametrize("rule", ["sgd", "optimizer"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_later_batches_do_not_feel_it(optimizer: str, rule: str) -> None:
    ends = []
    for trials in (0, 2):
        machine = make_machine(optimizer=OPTIMIZERS[optimizer], dtype=torch.float32)
        for seed in range(3):
            step = make_step(machine, make_batch(seed=seed))
            for _ in range(trials):
                with step.trial():
                    wild(step, rule)
            gradients = step.gradients(step.losses())
            for _ in range(trials):
                with step.trial():
                    gradients.combine(one_hot(0))
                    step.apply(rule=rule)  # type: ignore[arg-type]
                    step.losses(grad=False)
            gradients.combine(torch.ones(3))
            step.apply()
            for _ in range(trials):
                with step.trial():
                    wild(step, rule)
        ends.append(everything(machine))
    assert not differing(*ends)


def test_a_trial_inside_a_trial_comes_back_to_it() -> None:
    machine = make_machine()
    train(machine, seed=1)
    step = make_step(machine)
    before = everything(machine)
    with step.trial():
        wild(step, "optimizer")
        inside = everything(machine)
        with step.trial():
            wild(step, "optimizer")
        assert not differing(inside, everything(machine))
        wild(step, "optimizer")
    assert not differing(before, everything(machine))
    assert machine.ledger.counts.optimizer_steps == 1


def test_an_exception_inside_restores_too() -> None:
    machine = make_machine()
    train(machine, seed=1)
    step = make_step(machine)
    before = everything(machine)
    with contextlib.suppress(KeyError), step.trial():
        wild(step, "optimizer")
        raise KeyError
    assert not differing(before, everything(machine))
    train(machine, seed=2)  # real again
    assert machine.ledger.counts.optimizer_steps == 2


def test_norm_statistics_of_the_real_forward_survive_a_trial_on_either_side() -> None:
    """The parameters of an earlier snapshot may still be right when the buffers are not."""
    ends = []
    for trials in (False, True):
        machine = make_machine()
        for seed in range(2):
            step = make_step(machine, make_batch(seed=seed))
            for forward in ("before", "real", "after"):
                if forward == "real":
                    step.losses()
                elif trials:
                    with step.trial():
                        step.losses()
        ends.append(everything(machine))
    assert not differing(*ends)


def test_one_copy_of_the_parameters_serves_all_trials_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[int] = []

    class Counted(mover_module.Snapshot):
        def __init__(self, tensors: Any) -> None:
            super().__init__(tensors)
            copied.append(sum(t.requires_grad for t in self._live))

    monkeypatch.setattr(mover_module, "Snapshot", Counted)
    machine = make_machine()
    step = make_step(machine)
    gradients = step.gradients(step.losses())
    for task in step.tasks:
        with step.trial():
            gradients.combine(one_hot(task))
            step.apply(only="shared", rule="sgd")
    assert copied == [len(machine.mover.parameters)]
    gradients.combine(torch.ones(3))
    step.apply()
    with step.trial():
        pass
    assert copied.count(len(machine.mover.parameters)) == 2  # they have moved


def test_optimizer_state_is_copied_only_when_the_optimizer_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[int] = []

    class Counted(mover_module.OptimizerSnapshot):
        def __init__(self, optimizer: torch.optim.Optimizer) -> None:
            super().__init__(optimizer)
            copies.append(1)

    monkeypatch.setattr(mover_module, "OptimizerSnapshot", Counted)
    machine = make_machine()
    train(machine, seed=1)
    step = make_step(machine)
    with step.trial():
        wild(step, "sgd")
    assert not copies
    with step.trial():
        wild(step, "optimizer")  # steps twice
    assert len(copies) == 1


def test_a_lookahead_after_a_trial_step_is_the_loss_there() -> None:
    machine = make_machine()
    machine.model.eval()
    batch = make_batch()
    step = make_step(machine, batch)
    gradients = step.gradients(step.losses())
    rows = gradients.matrix().clone()
    shapes = [(p, p.shape) for p in machine.shared.values()]
    for task in step.tasks:
        with step.trial():
            gradients.combine(one_hot(task))
            step.apply(only="shared", rule="sgd")
            found = step.losses(grad=False).values
        other = make_machine()
        other.model.eval()
        pieces = rows[task].split([shape.numel() for _, shape in shapes])
        for p, piece in zip(other.shared.values(), pieces, strict=True):
            p.data.sub_(piece.view_as(p), alpha=step.lr)
        torch.testing.assert_close(found, make_step(other, batch).losses(grad=False).values, rtol=1e-12, atol=0)


def test_a_trial_is_no_failure_and_no_record_of_weights() -> None:
    machine = make_machine()
    step = make_step(machine)
    step.backward(step.losses(), torch.tensor([1.0, 2.0, 3.0]))
    step.apply()
    before = dict(machine.ledger.weights)
    with step.trial():
        step.backward(step.losses(), torch.full((3,), torch.nan))
        step.apply()
    assert machine.ledger.failures.totals.tolist() == [0, 0]
    assert machine.ledger.weights == before
