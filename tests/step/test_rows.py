"""Per-task gradients of a step against one full autograd backward per task."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import TaskGradients
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.engines.rows import Rows
from mtl_bench.training.machine import Machine
from tests.step.toys import (
    MODELS,
    ONE_END,
    SHARED_PATH,
    Attention,
    OneTensor,
    TaskNorms,
    autograd_rows,
    gradients_of,
    make_batch,
    make_machine,
    make_step,
    weighted,
)

WEIGHTS = [None, [0.5, 3.0, -2.0]]


def flat(machine: Machine, row: dict[str, Tensor]) -> Tensor:
    """The shared part of an autograd row, zero where the task does not reach."""
    return torch.cat([row.get(name, torch.zeros_like(p)).reshape(-1) for name, p in machine.shared.items()])


def head_rows(gradients: TaskGradients) -> list[list[Tensor | None]]:
    assert isinstance(gradients, Rows)
    return gradients.heads.gradients


def as_tensor(weights: Sequence[float] | None) -> Tensor | None:
    return None if weights is None else torch.tensor(weights)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("model", MODELS)
def test_rows_are_full_backwards(model: type[MultiTaskModel], weights: list[float] | None) -> None:
    machine = make_machine(model)
    batch = make_batch()
    expected = autograd_rows(machine, batch)
    step = make_step(machine, batch)
    gradients = step.gradients(step.losses(), weights=as_tensor(weights))
    factors = weights or [1.0, 1.0, 1.0]
    rows = torch.stack([factor * flat(machine, row) for factor, row in zip(factors, expected, strict=True)])
    torch.testing.assert_close(gradients.matrix(), rows, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients.gramian(), rows @ rows.T, rtol=1e-12, atol=1e-12)
    for task, found in enumerate(head_rows(gradients)):
        for (name, _), gradient in zip(machine.model.task_parameters(task).items(), found, strict=True):
            torch.testing.assert_close(gradient, factors[task] * expected[task][name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_layers_are_the_rows_by_parameter(model: type[MultiTaskModel]) -> None:
    machine = make_machine(model)
    step = make_step(machine)
    gradients = step.gradients(step.losses())
    layers = dict(gradients.layers())
    assert {name: rows.shape[1:] for name, rows in layers.items()} == {n: p.shape for n, p in machine.shared.items()}
    torch.testing.assert_close(torch.cat([rows.flatten(1) for rows in layers.values()], dim=1), gradients.matrix())
    assert gradients.features is None


def test_weighted_losses_come_with_the_gramian() -> None:
    machine = make_machine()
    step = make_step(machine)
    losses = step.losses()
    weights = torch.tensor([0.5, 3.0, 2.0])
    gradients = step.gradients(losses, weights=weights)
    gramian = gradients.gramian()
    assert gramian.dtype == gradients.losses.dtype == torch.float64
    torch.testing.assert_close(gradients.losses, losses.values * weights)


def test_cross_gramian_of_two_live_objects() -> None:
    machine = make_machine()
    step = make_step(machine)
    first = step.gradients(step.losses())
    second = step.gradients(step.losses())  # other dropout masks, so other rows
    rows = first.matrix().clone(), second.matrix().clone()
    assert not torch.equal(*rows)
    torch.testing.assert_close(first.gramian(second), rows[0] @ rows[1].T)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("model", SHARED_PATH)
def test_feature_rows_are_gradients_at_the_shared_tensors(
    model: type[MultiTaskModel], weights: list[float] | None
) -> None:
    machine = make_machine(model)
    batch = make_batch()
    random = torch.get_rng_state()
    features = [f.detach().requires_grad_() for f in machine.model.encode(batch.image.double())]
    rows = []
    for task, (name, kind) in enumerate(machine.tasks.items()):
        total, count = kind.loss(machine.model.decode(features, task), batch.targets[name])
        factor = 1.0 if weights is None else weights[task]
        found = torch.autograd.grad(factor * total / count, features, allow_unused=True)
        filled = [torch.zeros_like(f) if g is None else g for f, g in zip(features, found, strict=True)]
        rows.append(torch.cat([g.flatten() for g in filled]))
    torch.set_rng_state(random)
    step = make_step(machine, batch)
    gradients = step.gradients(step.losses(), at="feature", weights=as_tensor(weights))
    torch.testing.assert_close(gradients.matrix(), torch.stack(rows), rtol=1e-12, atol=1e-12)
    assert gradients.features is not None
    assert {n: f.shape for n, f in gradients.features.items()} == {n: r.shape[1:] for n, r in gradients.layers()}
    for found, feature in zip(gradients.features.values(), features, strict=True):
        torch.testing.assert_close(found, feature.detach())


@pytest.mark.parametrize("model", ONE_END)
def test_last_layer_rows_are_gradients_of_the_last_shared_weight(model: type[MultiTaskModel]) -> None:
    machine = make_machine(model)
    last = next(name for name, p in machine.shared.items() if p is machine.model.last_shared)
    batch = make_batch()
    expected = autograd_rows(machine, batch)
    step = make_step(machine, batch)
    gradients = step.gradients(step.losses(), at="last_layer")
    rows = torch.stack([row.get(last, torch.zeros_like(machine.shared[last])).flatten() for row in expected])
    torch.testing.assert_close(gradients.matrix(), rows, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients.gramian(), rows @ rows.T, rtol=1e-12, atol=1e-12)
    assert [name for name, _ in gradients.layers()] == ["last_layer"]


@pytest.mark.parametrize(
    ("model", "at"), [*((model, "feature") for model in SHARED_PATH), *((model, "last_layer") for model in ONE_END)]
)
def test_one_encoder_sweep_equals_a_plain_backward(model: type[MultiTaskModel], at: str) -> None:
    machine = make_machine(model, dtype=torch.float32)
    batch = make_batch()
    expected = weighted(autograd_rows(machine, batch), [0.5, 3.0, -2.0])
    step = make_step(machine, batch)
    weights = torch.tensor([0.5, 3.0, -2.0])
    step.gradients(step.losses(), at=at).combine(weights, heads=weights)  # type: ignore[arg-type]
    found = gradients_of(machine)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=5e-7)


@pytest.mark.parametrize("at", ["feature", "last_layer"])
def test_one_encoder_pass_is_needed_below_the_parameters(at: str) -> None:
    step = make_step(make_machine(TaskNorms))
    with pytest.raises(BenchError, match="path per task"):
        step.gradients(step.losses(), at=at)  # type: ignore[arg-type]


def test_a_last_layer_that_a_loss_does_not_reach_is_refused() -> None:
    step = make_step(make_machine(Attention))
    with pytest.raises(
        BenchError, match=r"second\.weight is taken for the last shared layer.*not every loss reaches it"
    ):
        step.gradients(step.losses(), at="last_layer")


def test_a_model_without_a_last_shared_layer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneTensor, "last_shared", None)
    step = make_step(make_machine())
    with pytest.raises(BenchError, match="no last shared layer"):
        step.gradients(step.losses(), at="last_layer")


def test_rows_of_some_tasks() -> None:
    machine = make_machine(Attention)
    batch = make_batch()
    expected = autograd_rows(machine, batch)
    step = make_step(machine, batch)
    gradients = step.gradients(step.losses(tasks=[2, 0]))
    assert gradients.tasks == (0, 2)  # dataset order
    rows = torch.stack([flat(machine, expected[task]) for task in (0, 2)])
    torch.testing.assert_close(gradients.matrix(), rows, rtol=1e-12, atol=1e-12)


def test_rows_need_a_graph_of_every_task() -> None:
    step = make_step(make_machine())
    with pytest.raises(BenchError, match="graph of every task"):
        step.gradients(step.losses(grad=[1]))
