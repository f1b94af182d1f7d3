"""Forwards: which tasks, whose graph, how long, and with which dropout."""

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.batch_step import BatchStep
from tests.step.toys import (
    MODELS,
    TASKS,
    Attention,
    OneTensor,
    TaskNorms,
    autograd_rows,
    differing,
    everything,
    gradients_of,
    make_batch,
    make_machine,
    make_step,
    weighted,
)


def spent(step: BatchStep) -> None:
    losses = step.losses()
    step.backward(losses, torch.ones(len(losses.tasks)))
    step.apply()


@pytest.mark.parametrize("model", MODELS)
def test_values_are_the_raw_mean_losses(model: type[MultiTaskModel]) -> None:
    machine, batch = make_machine(model), make_batch()
    machine.model.eval()  # no dropout
    losses = make_step(machine, batch).losses(grad=False)
    assert losses.tasks == (0, 1, 2)
    assert losses.graph is None
    for task, (name, kind) in enumerate(TASKS.items()):
        features = machine.model.encode(batch.image.double(), task if model.per_task_path else None)
        total, count = kind.loss(machine.model.decode(features, task), batch.targets[name])
        torch.testing.assert_close(losses.values[task], (total / count).detach())


@pytest.mark.parametrize("use", ["backward", "gradients"])
def test_losses_are_spent_once_and_keep_their_values(use: str) -> None:
    step = make_step(make_machine())
    losses = step.losses()
    values = losses.values.clone()
    if use == "backward":
        step.backward(losses, torch.ones(3))
    else:
        step.gradients(losses)
    with pytest.raises(BenchError, match="no graph, or it was spent"):
        step.backward(losses, torch.ones(3))
    assert torch.equal(losses.values, values)


def test_losses_without_a_graph_have_no_backward() -> None:
    step = make_step(make_machine())
    with pytest.raises(BenchError, match="no graph"):
        step.backward(step.losses(grad=False), torch.ones(3))


@pytest.mark.parametrize("use", ["backward", "gradients"])
def test_losses_older_than_an_apply_are_refused(use: str) -> None:
    step = make_step(make_machine())
    losses = step.losses()
    spent(step)
    with pytest.raises(BenchError, match="older than an `apply` or a `trial`"):
        step.backward(losses, torch.ones(3)) if use == "backward" else step.gradients(losses)


def test_losses_older_than_a_trial_are_refused() -> None:
    step = make_step(make_machine())
    losses = step.losses()
    with step.trial():
        spent(step)
    with pytest.raises(BenchError, match="older than an `apply` or a `trial`"):
        step.backward(losses, torch.ones(3))


def test_losses_of_a_trial_do_not_outlive_it() -> None:
    step = make_step(make_machine())
    with step.trial():
        losses = step.losses()
    with pytest.raises(BenchError, match="older than an `apply` or a `trial`"):
        step.gradients(losses)


@pytest.mark.parametrize("model", MODELS)
def test_tasks_without_a_graph_are_left_out_of_backward(model: type[MultiTaskModel]) -> None:
    machine, batch = make_machine(model), make_batch()
    rows = autograd_rows(machine, batch)
    step = make_step(machine, batch)
    losses = step.losses(grad=[2, 0])
    assert losses.tasks == (0, 1, 2)  # values of all, graphs of some
    step.backward(losses, torch.tensor([2.0, 5.0, -1.0]))
    found, expected = gradients_of(machine), weighted([rows[0], rows[2]], [2.0, -1.0])
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-12, atol=1e-12)


def test_a_group_without_a_label_has_no_graph() -> None:
    step = make_step(make_machine(), make_batch(unlabelled=["pose"]))
    losses = step.losses(grad=[1])
    with pytest.raises(BenchError, match="no graph"):
        step.backward(losses, torch.ones(2))


USES = [(model, use) for model in MODELS for use in ("backward", "shared", "feature")]
USES.remove((TaskNorms, "feature"))  # a path per task has no one shared tensor


@pytest.mark.parametrize(("model", "use"), USES)
def test_tasks_without_a_label_leave_no_trace(model: type[MultiTaskModel], use: str) -> None:
    machine = make_machine(model)
    spent(make_step(machine))  # so that Adam has momentum to move an absent head by
    before = everything(machine)
    absent = {f"model.{name}" for name in machine.model.task_parameters(1)}
    absent |= {n for n in before if n.startswith("model.norms.1.")}
    step = make_step(machine, make_batch(seed=1, unlabelled=["pose"]))
    assert step.tasks == (0, 2)
    losses = step.losses()
    assert losses.tasks == (0, 2)
    if use == "backward":
        step.backward(losses, torch.ones(2))
    else:
        step.gradients(losses, at=use).combine(torch.ones(2))  # type: ignore[arg-type]
    assert all(p.grad is None for p in machine.model.task_parameters(1).values())
    step.apply()
    positions = [i for i, p in enumerate(machine.mover.parameters) if any(p is q for q in machine.owned[1])]
    absent |= {n for n in before for i in positions if n.startswith(f"state.{i}.")}
    moved = set(differing(before, everything(machine)))
    assert not moved & absent
    assert {f"model.{name}" for name in machine.model.task_parameters(0)} <= moved


def test_tasks_that_are_asked_for_without_a_label_are_dropped() -> None:
    step = make_step(make_machine(), make_batch(unlabelled=["pose"]))
    assert step.losses(tasks=[2, 1]).tasks == (2,)


@pytest.mark.parametrize("model", [OneTensor, TaskNorms])
def test_a_lookahead_replays_dropout_and_gives_the_stream_back(model: type[MultiTaskModel]) -> None:
    step = make_step(make_machine(model))
    losses = step.losses()
    after = torch.get_rng_state()
    first, second = (step.losses(grad=False).values for _ in range(2))
    assert torch.equal(first, losses.values)
    assert torch.equal(second, losses.values)
    assert torch.equal(torch.get_rng_state(), after)


def test_a_lookahead_replays_the_last_forward_that_had_a_graph() -> None:
    step = make_step(make_machine())
    first, second = step.losses(), step.losses(grad=[0])
    assert not torch.equal(first.values, second.values)
    assert torch.equal(step.losses(grad=False).values, second.values)


def test_a_lookahead_before_any_graph_draws_like_a_forward() -> None:
    machine = make_machine()
    before = torch.get_rng_state()
    values = make_step(machine).losses(grad=False).values
    assert not torch.equal(torch.get_rng_state(), before)
    torch.set_rng_state(before)
    assert torch.equal(make_step(machine).losses().values, values)


def test_a_lookahead_after_a_trial_replays_the_forward_before_it() -> None:
    step = make_step(make_machine())
    losses = step.losses()
    with step.trial():
        step.losses(tasks=[0])
        torch.rand(7)
        step.losses()
    assert torch.equal(step.losses(grad=False).values, losses.values)


def test_a_forward_in_a_trial_moves_no_later_stream() -> None:
    """What comes after a trial is what would have come without it, even a lookahead before any graph."""
    values = []
    for with_trial in (False, True):
        step = make_step(make_machine())
        if with_trial:
            with step.trial():
                step.losses()
        values.append(torch.cat([step.losses(grad=False).values, step.losses().values]))
    assert torch.equal(*values)


@pytest.mark.parametrize("model", MODELS)
def test_losses_of_the_batch_are_those_of_each_tasks_first_forward(model: type[MultiTaskModel]) -> None:
    machine = make_machine(model)
    step = make_step(machine)
    with step.trial():
        step.losses()
    step.losses(tasks=[2], grad=False)
    first, second = step.losses(tasks=[2]).values, step.losses(tasks=[0, 2]).values
    found = machine.ledger.batch_losses()
    assert torch.equal(found[2], first[0])
    assert torch.equal(found[0], second[0])
    assert found[1].isnan()
    assert machine.ledger.batch_losses().isnan().all()  # forgotten


def test_gradients_live_in_the_models_precision() -> None:
    machine = make_machine(Attention, dtype=torch.float32)
    step = make_step(machine)
    gradients = step.gradients(step.losses())
    assert gradients.matrix().dtype == torch.float32
    assert gradients.gramian().dtype == torch.float64


def test_bf16_autocast_keeps_losses_and_rows_in_full_precision() -> None:
    machine = make_machine(Attention, dtype=torch.float32, autocast=torch.bfloat16)
    reference = make_machine(Attention, dtype=torch.float32)
    step, exact = make_step(machine), make_step(reference)
    losses = step.losses()
    assert losses.values.dtype == torch.float32
    torch.testing.assert_close(losses.values, exact.losses().values, rtol=0.03, atol=0.03)
    assert step.gradients(losses).matrix().dtype == torch.float32
    gradients = step.gradients(step.losses(), at="feature")
    torch.testing.assert_close(gradients.gramian(), gradients.matrix().double() @ gradients.matrix().double().T)
    weights = torch.tensor([1.0, 2.0, 3.0])
    gradients.combine(weights, heads=weights)
    found = gradients_of(machine)
    exact.backward(exact.losses(), weights)
    for name, gradient in gradients_of(reference).items():
        torch.testing.assert_close(found[name], gradient, rtol=0.1, atol=0.03)
