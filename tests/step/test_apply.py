"""What an update moves, and by how much."""

import copy

import pytest
import torch

from mtl_bench.training.machine import Machine
from tests.step.toys import (
    OneTensor,
    TaskNorms,
    adam,
    differing,
    everything,
    gradients_of,
    make_batch,
    make_machine,
    make_step,
    sgd,
)


def backward(machine: Machine, seed: int = 0) -> None:
    step = make_step(machine, make_batch(seed=seed))
    step.backward(step.losses(), torch.ones(3))


@pytest.mark.parametrize("optimizer", [adam, sgd])
def test_the_optimizer_rule_is_the_optimizer(optimizer: object) -> None:
    machine = make_machine(optimizer=optimizer)  # type: ignore[arg-type]
    for seed in range(3):
        backward(machine, seed)
        model, other = copy.deepcopy((machine.model, machine.mover.optimizer))
        for p, q in zip(machine.model.parameters(), model.parameters(), strict=True):
            q.grad = p.grad
        other.step()
        make_step(machine).apply()
        for p, q in zip(machine.model.parameters(), model.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=0, atol=0)
    assert not gradients_of(machine)


def test_clipping_bounds_the_joint_norm() -> None:
    machine = make_machine(optimizer=lambda p: torch.optim.SGD(p, lr=1.0, fused=True), clip_norm=0.01)
    before = everything(machine)
    backward(machine)
    norm = torch.cat([g.flatten() for g in gradients_of(machine).values()]).norm()
    assert norm > 0.01
    gradients = gradients_of(machine)
    make_step(machine).apply()
    for name, p in machine.model.named_parameters():
        moved = before[f"model.{name}"] - p.detach()
        torch.testing.assert_close(moved, gradients[name] * (0.01 / (norm + 1e-6)), rtol=1e-9, atol=1e-12)


def test_clipping_leaves_short_gradients_alone() -> None:
    moved = []
    for clip_norm in (None, 1e6):
        machine = make_machine(clip_norm=clip_norm)
        backward(machine)
        make_step(machine).apply()
        moved.append({n: v for n, v in everything(machine).items() if n.startswith("model.")})
    assert not differing(*moved)


def test_clipping_of_shared_parameters_ignores_the_heads() -> None:
    machine = make_machine(optimizer=lambda p: torch.optim.SGD(p, lr=1.0, fused=True), clip_norm=0.01)
    before = {name: p.detach().clone() for name, p in machine.shared.items()}
    backward(machine)
    make_step(machine).apply(only="shared")
    moved = torch.cat([(before[name] - p.detach()).flatten() for name, p in machine.shared.items()])
    torch.testing.assert_close(moved.norm(), torch.tensor(0.01, dtype=torch.float64), rtol=1e-3, atol=0)


@pytest.mark.parametrize("only", ["all", "shared"])
def test_the_sgd_rule_is_neither_clipped_nor_decayed(only: str) -> None:
    def decaying(parameters: list[dict]) -> torch.optim.Optimizer:
        parameters[1]["lr"] = 0.3  # heads learn faster
        return torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.5, fused=True)

    machine = make_machine(optimizer=decaying, clip_norm=1e-3)
    backward(machine)
    gradients = gradients_of(machine)
    before = everything(machine)
    make_step(machine).apply(only=only, rule="sgd")  # type: ignore[arg-type]
    for name, p in machine.model.named_parameters():
        lr = 0.1 if name in machine.shared else 0.3 if only == "all" else 0.0
        expected = before[f"model.{name}"] - lr * gradients[name]
        torch.testing.assert_close(p.detach(), expected, rtol=1e-12, atol=1e-15)
    assert not machine.mover.optimizer.state
    assert not gradients_of(machine)


@pytest.mark.parametrize("rule", ["optimizer", "sgd"])
@pytest.mark.parametrize("model", [OneTensor, TaskNorms])
def test_heads_and_their_optimizer_state_stay_when_only_shared_moves(model: type, rule: str) -> None:
    machine = make_machine(model)
    backward(machine)
    make_step(machine).apply()
    before = everything(machine)
    backward(machine, seed=1)
    after_forward = everything(machine)  # norms have moved
    make_step(machine).apply(only="shared", rule=rule)  # type: ignore[arg-type]
    shared = {f"model.{name}" for name in machine.shared}
    positions = [i for i, p in enumerate(machine.mover.parameters) if any(p is q for q in machine.shared.values())]
    state = {n for n in before for i in positions if n.startswith(f"state.{i}.")}
    moved = set(differing(after_forward, everything(machine)))
    assert moved <= (shared | state if rule == "optimizer" else shared)
    assert "model.linear.weight" in moved
    assert not gradients_of(machine)


def test_lr_is_that_of_the_shared_parameters_now() -> None:
    machine = make_machine()
    step = make_step(machine)
    machine.mover.optimizer.param_groups[0]["lr"] = 0.25
    assert step.lr == 0.25


@pytest.mark.parametrize("options", [{}, {"nesterov": True, "weight_decay": 0.1}])
def test_fused_momentum_of_a_head_that_joins_late_is_torchs_own(options: dict) -> None:
    """torch's fused SGD cannot start some momenta later than others: partial labels need that."""
    found = []
    for fused in (True, False):
        machine = make_machine(
            optimizer=lambda p, fused=fused: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=fused, **options)
        )
        for seed, absent in enumerate((["pose"], [], ["shape"], [])):
            step = make_step(machine, make_batch(seed=seed, unlabelled=absent))
            step.backward(step.losses(), torch.ones(len(step.tasks)))
            step.apply()
        found.append(dict(machine.model.named_parameters()))
    for name, p in found[0].items():
        torch.testing.assert_close(p, found[1][name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("optimizer", [adam, sgd])
def test_stale_tasks_step_on_zero_and_others_rest(optimizer: object) -> None:
    """Task 0 alone has a gradient; task 1 takes the optimizer's step with one of zero, task 2 none."""
    machine = make_machine(optimizer=optimizer)  # type: ignore[arg-type]
    backward(machine)
    make_step(machine).apply()  # all have momentum now
    model, other = copy.deepcopy((machine.model, machine.mover.optimizer))
    step = make_step(machine)
    step.backward(step.losses(grad=[0]), torch.ones(3))
    for p, q in zip(machine.model.parameters(), model.parameters(), strict=True):
        q.grad = p.grad
    for p in model.task_parameters(1).values():
        p.grad = torch.zeros_like(p)
    other.step()
    step.apply(stale=[0, 1])
    for p, q in zip(machine.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=0)
    assert not gradients_of(machine)
