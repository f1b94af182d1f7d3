"""UW: equal to joint training by autograd, whatever the form."""

import copy
from math import exp

import pytest
import torch
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.uw import UncertaintyWeighting
from tests.methods.toys import context, toy

LOSSES = torch.tensor([1.0, 2.0, 3.0])
ALL = (0, 1, 2)
FACTORS = {"paper": [1.0, 0.5, 1.0], "half": [0.5, 0.5, 0.5], "plain": [1.0, 1.0, 1.0]}  # depth is a regression


def ready(form: str = "paper", **changes: float) -> UncertaintyWeighting:
    method = UncertaintyWeighting(form=form, **changes)  # type: ignore[arg-type]
    method.setup(context())
    return method


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("form", FACTORS)
def test_equals_joint_training_bit_for_bit(form: str, optimizer: str) -> None:
    """Σ a_k e^{−s_k} l_k + ½ s_k, s under an Adam of its own, over 60 batches in float32."""
    problem, other = toy(optimizer), toy(optimizer)  # type: ignore[arg-type]
    method = ready(form, initial=-0.5, lr=0.05)
    s = [torch.full((), -0.5, requires_grad=True) for _ in ALL]
    adam = torch.optim.Adam(s, lr=0.05, fused=True)
    factor = torch.tensor(FACTORS[form])
    for batch in range(60):
        method.update(problem.step(batch))
        graph = other.step(batch).losses().graph
        assert graph is not None
        terms = torch.stack([graph.terms[k] for k in ALL])
        (torch.dot(terms, factor * (-torch.stack(s)).exp()) + 0.5 * torch.stack(s).sum()).backward()
        for own in (other.machine.mover.optimizer, adam):
            own.step()
            own.zero_grad()
    assert torch.equal(method.log_variance.values(ALL), torch.stack(s).detach())
    assert torch.equal(problem.parameters, other.parameters)
    assert (torch.stack(s) + 0.5).abs().min() > 0.01  # they did move


@pytest.mark.parametrize("form", FACTORS)
def test_weights(form: str) -> None:
    expected = [a * exp(-0.3) for a in FACTORS[form]]
    assert ready(form, initial=0.3).weights(LOSSES, tasks=ALL).tolist() == pytest.approx(expected)
    assert ready(form, initial=0.3).weights(LOSSES[1:], tasks=(1, 2)).tolist() == pytest.approx(expected[1:])


@pytest.mark.parametrize("initial", [50.0, -50.0])
def test_log_variances_start_within_ten(initial: float) -> None:
    with pytest.raises(BenchError, match="within ±10"):
        ready("plain", initial=initial)


def test_a_loss_of_zero_does_not_take_all() -> None:
    method = ready("half", lr=1.0)
    values = torch.tensor([0.0, 1.0, 1.0])
    for _ in range(50):
        method.observe(values, tasks=ALL)
    weights = method.weights(values, tasks=ALL)
    assert weights[0] == pytest.approx(0.5 * exp(10))
    assert weights[1:].tolist() == pytest.approx([0.5, 0.5], rel=1e-3)
    for _ in range(20):  # it was held at the bound, so it needs no long way back when the loss returns
        method.observe(torch.ones(3), tasks=ALL)
    assert method.weights(values, tasks=ALL)[0] < 1.0


def test_at_rest_the_weight_is_half_the_inverse_loss() -> None:
    for form in FACTORS:
        method = ready(form, lr=0.05)
        for _ in range(800):
            method.observe(LOSSES, tasks=ALL)
        assert (method.weights(LOSSES, tasks=ALL) * LOSSES).tolist() == pytest.approx([0.5] * 3, rel=1e-3)


def test_an_absent_tasks_scalar_stays() -> None:
    problem, method = toy(absent=1), ready()
    for batch in range(8):
        before: Tensor = method.log_variance.values(ALL)
        method.update(problem.step(batch))
        moved = (method.log_variance.values(ALL) != before).tolist()
        assert moved == [True, batch % 2 == 0, True]


def test_weights_change_no_state() -> None:
    method = ready()
    method.observe(LOSSES, tasks=ALL)
    before = copy.deepcopy(method.state_dict())
    first = method.weights(LOSSES, tasks=ALL)
    assert torch.equal(first, method.weights(LOSSES * 5, tasks=ALL))
    assert str(before) == str(method.state_dict())


def test_the_common_scale_leaves_it_alone() -> None:
    """Its weights have no fixed sum."""
    assert torch.equal(ready().task_weights(LOSSES, tasks=ALL), ready().weights(LOSSES, tasks=ALL))


def test_an_integer_start() -> None:
    assert torch.equal(ready(initial=0).weights(LOSSES, tasks=ALL), ready().weights(LOSSES, tasks=ALL))


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(BenchError, match="form is one of paper, half, plain"):
        ready("kendall")
