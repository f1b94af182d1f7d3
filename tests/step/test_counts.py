"""What every call costs, in the units of the record."""

import pytest
import torch

from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.counts import StepCounts
from tests.step.toys import OneTensor, TaskNorms, make_batch, make_machine, make_step


def spent(counts: StepCounts) -> tuple[int, int, float]:
    return counts.forwards, counts.backwards, round(counts.passes, 9)


@pytest.mark.parametrize(("model", "per_call"), [(OneTensor, 1), (TaskNorms, 3)])
def test_forwards_and_backward(model: type[MultiTaskModel], per_call: int) -> None:
    machine = make_machine(model)
    step = make_step(machine)
    losses = step.losses()
    assert spent(machine.ledger.counts) == (per_call, 0, per_call)
    step.backward(losses, torch.ones(3))
    assert spent(machine.ledger.counts) == (per_call, per_call, 2 * per_call)
    step.losses(grad=False)
    assert spent(machine.ledger.counts) == (2 * per_call, per_call, 3 * per_call)
    assert machine.ledger.counts.optimizer_steps == 0
    step.apply()
    assert machine.ledger.counts.optimizer_steps == 1
    assert machine.ledger.counts.batches == 0  # the trainer's


@pytest.mark.parametrize(("model", "forwards", "backwards"), [(OneTensor, 1, 1), (TaskNorms, 3, 2)])
def test_a_group_with_a_graph(model: type[MultiTaskModel], forwards: int, backwards: int) -> None:
    machine = make_machine(model)
    step = make_step(machine)
    step.backward(step.losses(grad=[0, 2]), torch.ones(3))
    assert spent(machine.ledger.counts) == (forwards, backwards, forwards + backwards)


@pytest.mark.parametrize(("model", "per_call"), [(OneTensor, 1), (TaskNorms, 2)])
def test_absent_tasks_cost_nothing(model: type[MultiTaskModel], per_call: int) -> None:
    machine = make_machine(model)
    step = make_step(machine, make_batch(unlabelled=["pose"]))
    gradients = step.gradients(step.losses())
    assert spent(machine.ledger.counts) == (per_call, 2, per_call + 2)
    gradients.combine(torch.ones(2))
    gradients.combine(torch.ones(2))  # free of charge
    assert spent(machine.ledger.counts) == (per_call, 2, per_call + 2)


@pytest.mark.parametrize(("model", "forwards"), [(OneTensor, 1), (TaskNorms, 3)])
def test_rows_cost_one_pass_per_task(model: type[MultiTaskModel], forwards: int) -> None:
    machine = make_machine(model)
    step = make_step(machine)
    step.gradients(step.losses())
    assert spent(machine.ledger.counts) == (forwards, 3, forwards + 3)


@pytest.mark.parametrize("at", ["feature", "last_layer"])
def test_rows_below_the_parameters_cost_one_pass(at: str) -> None:
    machine = make_machine()
    step = make_step(machine)
    step.gradients(step.losses(), at=at).combine(torch.ones(3))  # type: ignore[arg-type]
    assert spent(machine.ledger.counts) == (1, 1, 2)


@pytest.mark.parametrize(("model", "per_call"), [(OneTensor, 1), (TaskNorms, 3)])
def test_parts_of_a_split_count_their_share(model: type[MultiTaskModel], per_call: int) -> None:
    machine = make_machine(model)
    parts = make_step(machine).split(3)
    parts[0].losses()
    assert spent(machine.ledger.counts) == (per_call, 0, round(per_call / 3, 9))
    parts[1].backward(parts[1].losses(), torch.ones(3))
    parts[2].gradients(parts[2].losses())
    assert spent(machine.ledger.counts) == (3 * per_call, per_call + 3, round(per_call + per_call / 3 + 1, 9))
    parts[0].split(2)[0].losses(grad=False)
    assert machine.ledger.counts.passes == pytest.approx(per_call + per_call / 3 + 1 + per_call / 6)


@pytest.mark.parametrize("rule", ["sgd", "optimizer"])
def test_trials_spend_passes_and_no_optimizer_steps(rule: str) -> None:
    machine = make_machine()
    step = make_step(machine)
    with step.trial():
        step.backward(step.losses(), torch.ones(3))
        step.apply(rule=rule)  # type: ignore[arg-type]
        step.losses(grad=False)
    assert spent(machine.ledger.counts) == (2, 1, 3)
    assert machine.ledger.counts.optimizer_steps == 0
    step.backward(step.losses(), torch.ones(3))
    step.apply(rule=rule)  # type: ignore[arg-type]
    assert machine.ledger.counts.optimizer_steps == 1


def test_counts_are_plain_numbers_by_name() -> None:
    assert StepCounts(batches=2, passes=0.5).as_dict() == {
        "batches": 2,
        "forwards": 0,
        "backwards": 0,
        "passes": 0.5,
        "optimizer_steps": 0,
    }
