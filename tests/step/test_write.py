"""How directions reach `.grad`."""

import pytest
import torch
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.models.base import MultiTaskModel
from tests.step.toys import (
    MODELS,
    SHARED_PATH,
    Attention,
    Initial,
    OneTensor,
    autograd_rows,
    gradients_of,
    make_batch,
    make_machine,
    make_step,
    weighted,
)

WEIGHTS = [0.5, 3.0, -2.0]


def close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-12, atol=1e-12, msg=name)


@pytest.mark.parametrize("model", MODELS)
def test_backward_is_the_gradient_of_the_weighted_sum(model: type[MultiTaskModel]) -> None:
    machine, batch = make_machine(model), make_batch()
    expected = weighted(autograd_rows(machine, batch), WEIGHTS)
    step = make_step(machine, batch)
    step.backward(step.losses(), torch.tensor(WEIGHTS))
    close(gradients_of(machine), expected)


@pytest.mark.parametrize("model", MODELS)
def test_combine_weights_the_shared_parameters_and_not_the_heads(model: type[MultiTaskModel]) -> None:
    machine, batch = make_machine(model), make_batch()
    rows = autograd_rows(machine, batch)
    expected = weighted(rows, WEIGHTS)
    plain = weighted(rows, [1.0, 1.0, 1.0])
    step = make_step(machine, batch)
    step.gradients(step.losses()).combine(torch.tensor(WEIGHTS))
    close(gradients_of(machine), {n: g if n in machine.shared else plain[n] for n, g in expected.items()})


@pytest.mark.parametrize("at", ["shared", "feature", "last_layer"])
def test_combine_multiplies_heads_by_their_factors(at: str) -> None:
    machine, batch = make_machine(Initial if at == "last_layer" else Attention), make_batch()
    rows = autograd_rows(machine, batch)
    heads = weighted(rows, [2.0, 0.0, -1.0])
    step = make_step(machine, batch)
    step.gradients(step.losses(), at=at).combine(torch.tensor(WEIGHTS), heads=torch.tensor([2.0, 0.0, -1.0]))  # type: ignore[arg-type]
    expected = {n: g if n in machine.shared else heads[n] for n, g in weighted(rows, WEIGHTS).items()}
    close(gradients_of(machine), expected)


def test_combine_repeats_at_the_shared_parameters_and_writes() -> None:
    machine, batch = make_machine(), make_batch()
    rows = autograd_rows(machine, batch)
    step = make_step(machine, batch)
    gradients = step.gradients(step.losses())
    gradients.combine(torch.tensor([9.0, 9.0, 9.0]), heads=torch.tensor([9.0, 9.0, 9.0]))
    for p in machine.mover.parameters:
        assert p.grad is not None
        p.grad.mul_(0.1)  # what clipping does
    weights = torch.tensor(WEIGHTS)
    gradients.combine(weights, heads=weights)
    close(gradients_of(machine), weighted(rows, WEIGHTS))


def test_backward_adds_to_what_is_there() -> None:
    machine, batch = make_machine(Attention), make_batch()
    rows = autograd_rows(machine, batch)
    step = make_step(machine, batch)
    step.backward(step.losses(), torch.ones(3))
    step.backward(step.losses(tasks=[1]), torch.tensor([2.0]))
    close(gradients_of(machine), weighted(rows, [1.0, 3.0, 1.0]))


@pytest.mark.parametrize("at", ["shared", "feature"])
def test_combine_and_assign_write_over_what_is_there(at: str) -> None:
    for write in ("combine", "assign"):
        machine, batch = make_machine(Attention), make_batch()
        rows = autograd_rows(machine, batch)
        step = make_step(machine, batch)
        step.backward(step.losses(), torch.full((3,), 7.0))
        gradients = step.gradients(step.losses(), at=at)  # type: ignore[arg-type]
        if write == "combine":
            gradients.combine(torch.ones(3))
        else:
            gradients.assign(gradients.matrix().sum(dim=0))
        close(gradients_of(machine), weighted(rows, [1.0, 1.0, 1.0]))


@pytest.mark.parametrize("mapping", [False, True])
@pytest.mark.parametrize("at", ["shared", "feature"])
@pytest.mark.parametrize("model", SHARED_PATH)
def test_assign_takes_a_vector_or_a_mapping(model: type[MultiTaskModel], at: str, mapping: bool) -> None:
    machine, batch = make_machine(model), make_batch()
    expected = weighted(autograd_rows(machine, batch), WEIGHTS)
    step = make_step(machine, batch)
    gradients = step.gradients(step.losses(), at=at)  # type: ignore[arg-type]
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    if mapping:
        layers = {name: torch.tensordot(weights, rows, dims=1) for name, rows in gradients.layers()}
        gradients.assign(dict(reversed(layers.items())), heads=weights)  # names decide, not the order
    else:
        gradients.assign(weights @ gradients.matrix(), heads=weights)
    close(gradients_of(machine), expected)


def test_assign_refuses_a_mapping_that_lacks_a_layer() -> None:
    machine = make_machine()
    step = make_step(machine)
    gradients = step.gradients(step.losses())
    layers = {name: rows.sum(dim=0) for name, rows in gradients.layers()}
    del layers["norm.weight"]
    with pytest.raises(BenchError, match=r"must name every layer; missing: norm\.weight"):
        gradients.assign(layers)
    assert not gradients_of(machine)


@pytest.mark.parametrize("at", ["shared", "feature"])
def test_assign_refuses_what_is_no_direction(at: str) -> None:
    step = make_step(make_machine())
    gradients = step.gradients(step.losses(), at=at)  # type: ignore[arg-type]
    rows = gradients.matrix()
    for wrong in (rows[:1], rows[0, 1:], torch.cat([rows[0], rows[0, :1]])):
        with pytest.raises(BenchError, match=f"a vector as long as a row, {rows.shape[1]} numbers, not"):
            gradients.assign(wrong)
    layers = {name: found[0] for name, found in gradients.layers()}
    name, found = next(gradients.layers())
    with pytest.raises(BenchError, match=f"the shape of the parameters, .* at {name}, not"):
        gradients.assign(layers | {name: found})  # of all tasks


def test_gradients_that_others_change_are_this_steps_alone() -> None:
    machine = make_machine()
    written = []
    for seed in range(3):
        step = make_step(machine, make_batch(seed))
        gradients = step.gradients(step.losses())
        gradients.combine(torch.ones(3))
        written.append([p.grad.clone() for p in machine.shared.values() if p.grad is not None])
        for parameter in machine.shared.values():
            assert parameter.grad is not None
            assert not hasattr(parameter.grad, "seen")
            parameter.grad.seen = True  # type: ignore[attr-defined]
            parameter.grad.data = torch.nan_to_num(parameter.grad.data)  # which no longer is where directions are made
        step.apply()
    assert not any(torch.equal(one, other) for one, other in zip(written[0], written[2], strict=True))


def test_assign_leaves_the_methods_vector_alone_when_gradients_are_clipped() -> None:
    machine = make_machine(clip_norm=1e-3)
    step = make_step(machine)
    gradients = step.gradients(step.losses())
    momentum = gradients.matrix().sum(dim=0)
    before = momentum.clone()
    gradients.assign(momentum)
    step.apply()
    assert torch.equal(momentum, before)


def test_assign_at_the_last_layer_is_refused() -> None:
    step = make_step(make_machine())
    gradients = step.gradients(step.losses(), at="last_layer")
    with pytest.raises(BenchError, match="use `combine`"):
        gradients.assign(gradients.matrix().sum(dim=0))


@pytest.mark.parametrize("at", ["feature", "last_layer"])
def test_the_encoder_sweep_runs_once(at: str) -> None:
    step = make_step(make_machine())
    gradients = step.gradients(step.losses(), at=at)  # type: ignore[arg-type]
    gradients.combine(torch.ones(3))
    with pytest.raises(BenchError, match="combined once"):
        gradients.combine(torch.ones(3))


def test_rows_survive_apply_and_trial() -> None:
    machine, batch = make_machine(), make_batch()
    expected = weighted(autograd_rows(machine, batch), WEIGHTS)
    step = make_step(machine, batch)
    gradients = step.gradients(step.losses())
    with step.trial():
        gradients.combine(torch.ones(3))
        step.apply()
    gradients.combine(torch.ones(3))
    step.apply()
    weights = torch.tensor(WEIGHTS)
    gradients.combine(weights, heads=weights)
    close(gradients_of(machine), expected)


@pytest.mark.parametrize("at", ["feature", "last_layer"])
@pytest.mark.parametrize("rule", ["apply", "trial"])
def test_an_encoder_sweep_older_than_an_apply_is_refused(at: str, rule: str) -> None:
    step = make_step(make_machine())
    gradients = step.gradients(step.losses(), at=at)  # type: ignore[arg-type]
    step.backward(step.losses(), torch.ones(3))
    if rule == "apply":
        step.apply()
    else:
        with step.trial():
            step.apply()
    with pytest.raises(BenchError, match="older than"):
        gradients.combine(torch.ones(3))


@pytest.mark.parametrize("at", ["shared", "feature"])
def test_a_parameter_that_no_present_task_reaches_gets_no_gradient(at: str) -> None:
    """A zero gradient is not no gradient: Adam would move the parameter by momentum."""
    machine = make_machine(Attention)
    step = make_step(machine, make_batch(unlabelled=["pose", "colour"]))  # what is left reads the first tensor only
    gradients = step.gradients(step.losses(), at=at)  # type: ignore[arg-type]
    gradients.combine(torch.ones(1))
    assert machine.model.get_parameter("first.weight").grad is not None
    assert machine.model.get_parameter("second.weight").grad is None


def test_gradients_of_one_model_do_not_alias() -> None:
    """Writing one parameter's gradient never reaches the rows."""
    machine = make_machine(OneTensor)
    step = make_step(machine)
    gradients = step.gradients(step.losses())
    before = gradients.matrix().clone()
    gradients.combine(torch.tensor([1.0, 0.0, 0.0]))
    for p in machine.mover.parameters:
        assert p.grad is not None
        p.grad.zero_()
    assert torch.equal(gradients.matrix(), before)
