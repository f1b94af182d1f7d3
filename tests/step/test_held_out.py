"""A step's held-out batch: plain autograd in evaluation mode, of which training notices nothing."""

import copy

import pytest
import torch
from torch import Tensor

from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.methods import LearnedPriority
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step import Stepper
from mtl_bench.step.snapshot import global_random_state
from mtl_bench.training.machine import Machine
from tests.step.toys import MODELS, TASKS, OneTensor, autograd_rows, differing, everything, make_batch, make_machine

WEIGHTS = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)


def machine_of(model: type[MultiTaskModel], held_out: Batch | None = None) -> Machine:
    batch = held_out or make_batch(seed=7, size=9)
    return make_machine(model, held_out=lambda number: batch)


def expected(machine: Machine, batch: Batch) -> Tensor:
    """The row of the weighted sum."""
    machine.model.eval()
    rows = autograd_rows(machine, batch)
    machine.model.train()
    zeros = {name: torch.zeros_like(p) for name, p in machine.shared.items()}
    flat = [torch.cat([row.get(name, zeros[name]).flatten() for name in machine.shared]) for row in rows]
    return WEIGHTS @ torch.stack(flat)


@pytest.mark.parametrize("model", MODELS)
def test_losses_and_gradient_are_those_of_evaluation(model: type[MultiTaskModel]) -> None:
    machine = machine_of(model)
    step = machine.step(make_batch())
    losses = step.losses()
    rows = step.gradients(losses)
    rows.combine(WEIGHTS)
    kept = rows.matrix().clone()
    step.apply()
    assert machine.held_out is not None
    right = expected(machine, machine.held_out(0))
    held_out = step.held_out()
    seen = held_out.losses()
    found = held_out.gradient(seen, WEIGHTS)
    torch.testing.assert_close(found.matrix()[0], right, rtol=1e-12, atol=1e-15)
    assert torch.equal(rows.matrix(), kept)  # rows survive the step, and keep their memory
    torch.testing.assert_close(rows.gramian(found)[:, 0], kept @ right)
    assert torch.equal(machine.ledger.batch_losses(), losses.values)
    assert torch.equal(held_out.losses().values, seen.values)  # no dropout


@pytest.mark.parametrize("model", MODELS)
def test_training_notices_nothing(model: type[MultiTaskModel]) -> None:
    machine = machine_of(model)
    machine.step(make_batch(1)).losses()  # norms are switched off for the rest of their batch
    before, random = everything(machine), global_random_state(machine.device)
    step = machine.step(make_batch())
    held_out = step.held_out()
    held_out.gradient(held_out.losses(), WEIGHTS)
    assert differing(everything(machine), before) == []
    assert torch.equal(global_random_state(machine.device), random)
    assert all(module.training for module in machine.model.modules())
    assert all(parameter.grad is None for parameter in machine.model.parameters())


def test_a_part_that_is_in_evaluation_mode_stays_there() -> None:
    machine = machine_of(OneTensor)
    machine.model.norm.eval()  # type: ignore[operator,union-attr]
    machine.step(make_batch()).held_out().losses()
    assert [name for name, module in machine.model.named_modules() if not module.training] == ["norm"]


@pytest.mark.parametrize(("model", "paths"), [(MODELS[0], 1), (MODELS[-1], 3)])
def test_it_is_counted(model: type[MultiTaskModel], paths: int) -> None:
    machine = machine_of(model)
    held_out = machine.step(make_batch()).held_out()
    held_out.gradient(held_out.losses(), WEIGHTS)
    counts = machine.ledger.counts
    assert (counts.forwards, counts.backwards, counts.passes) == (paths, paths, 2 * paths)


def test_a_batch_of_training_has_one_of_these() -> None:
    asked: list[int] = []

    def held_out(number: int) -> Batch:
        asked.append(number)
        return make_batch(seed=number)

    machine = make_machine(OneTensor, held_out=held_out)
    first = [machine.step(make_batch()).held_out().losses().values for _ in range(2)]
    machine.ledger.counts.batches += 1
    later = machine.step(make_batch()).held_out().losses().values
    assert asked == [0, 0, 1]
    assert torch.equal(*first)
    assert not torch.equal(first[0], later)


def test_tasks_without_a_label_are_left_out() -> None:
    batch = make_batch(seed=7, unlabelled=["pose"])
    held_out = machine_of(OneTensor, batch).step(make_batch()).held_out()
    assert held_out.tasks == (0, 2)
    assert held_out.losses().values.isfinite().all()


def test_losses_that_are_not_finite_skip_no_step() -> None:
    batch = make_batch(seed=7)
    batch.image[0] = torch.nan
    machine = machine_of(OneTensor, batch)
    step = machine.step(make_batch())
    assert step.held_out().losses().values.isnan().all()
    step.backward(step.losses(), WEIGHTS)
    step.apply()
    assert machine.ledger.failures.totals.tolist() == [0, 0]


def test_what_cannot_be_done_is_one_sentence() -> None:
    step = machine_of(OneTensor).step(make_batch())
    held_out = step.held_out()
    losses = held_out.losses()
    gradient = held_out.gradient(losses, WEIGHTS)
    with pytest.raises(BenchError, match="it was spent"):
        held_out.gradient(losses, WEIGHTS)
    with pytest.raises(BenchError, match="is not trained on"):
        gradient.combine(torch.ones(1))
    older = held_out.losses()
    step.backward(step.losses(), WEIGHTS)
    step.apply()
    with pytest.raises(BenchError, match="older than an `apply`"):
        held_out.gradient(older, WEIGHTS)
    with pytest.raises(BenchError, match="nobody has said which there are"):
        make_machine(OneTensor).step(make_batch()).held_out()


def test_a_loop_says_what_is_held_out_and_with_which_model() -> None:
    model = OneTensor().double()
    given = {
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "shared": model.shared_parameters().values(),
        "heads": [model.task_parameters(k).values() for k in range(3)],
    }
    with pytest.raises(BenchError, match="give Stepper held_out="):
        Stepper(LearnedPriority(), model=model, **copy.copy(given))  # type: ignore[arg-type]
    with pytest.raises(BenchError, match="held_out= needs model="):
        Stepper(LearnedPriority(), held_out=lambda: list(torch.zeros(3)), **given)  # type: ignore[arg-type]
    stepper = Stepper(LearnedPriority(), model=model, held_out=lambda: list(torch.zeros(3)), **given)  # type: ignore[arg-type]
    batch = make_batch()
    images = batch.image.double()

    def losses() -> list[Tensor]:
        features = model.encode(images)
        return [
            TASKS[name].loss(model.decode(features, k), batch.targets[name])[0]
            for k, name in enumerate(TASKS)  # type: ignore[arg-type]
        ]

    with pytest.raises(BenchError, match="depends on no parameter that trains"):
        stepper.step(losses)
