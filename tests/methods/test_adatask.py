"""AdaTask: Adam where it is Adam, and one Adam per task where it is not."""

import copy
from typing import Any

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods.adatask import AdaTask
from mtl_bench.step import Stepper
from tests.methods.toys import context, toy

ALL = (0, 1, 2)
DOUBLE = torch.float64


def ready(**options: Any) -> AdaTask:
    method = AdaTask(**options)
    method.setup(context())
    return method


def rows_of(seed: int) -> Float[Tensor, "k P"]:
    return torch.randn(3, 6, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


@pytest.mark.parametrize("tasks", [ALL, (1,)])
def test_each_task_moves_as_under_an_adam_of_its_own(tasks: tuple[int, ...]) -> None:
    method, expected = ready(beta1=0.8, beta2=0.99), []
    places = [torch.zeros(6, dtype=DOUBLE, requires_grad=True) for _ in tasks]
    adams = [torch.optim.Adam([place], lr=1.0, betas=(0.8, 0.99)) for place in places]
    walked = torch.zeros(6, dtype=DOUBLE)
    for t in range(10):
        rows = rows_of(t)[list(tasks)]
        for place, adam, row in zip(places, adams, rows, strict=True):
            place.grad = row.clone()
            adam.step()
        walked -= method.direction(rows, tasks)
        expected = [place.detach() for place in places]
        assert_close(walked, torch.stack(expected).sum(dim=0), rtol=1e-10, atol=1e-12)


def test_with_one_task_it_is_adam_heads_included() -> None:
    problem, plain, method = toy("adam", DOUBLE), toy("adam", DOUBLE), AdaTask()
    method.setup(problem.context)
    for batch in range(12):
        step, other = problem.step(batch), plain.step(batch)
        step.tasks = other.tasks = (1,)
        method.update(step)
        losses = other.losses()
        other.backward(losses, torch.ones(1, dtype=DOUBLE))
        other.apply()
    assert_close(problem.parameters, plain.parameters, rtol=1e-9, atol=1e-11)


def test_heads_move_as_under_plain_adam() -> None:
    """At the first batch; later ones see other features."""
    problem, plain, method = toy("adam", DOUBLE), toy("adam", DOUBLE), AdaTask()
    method.setup(problem.context)
    method.update(problem.step(0))
    step = plain.step(0)
    step.backward(step.losses(), torch.ones(3, dtype=DOUBLE))
    step.apply()
    for k in ALL:
        for parameter, expected in zip(problem.machine.owned[k], plain.machine.owned[k], strict=True):
            assert torch.equal(parameter, expected)


def test_the_protocols_optimizer_leaves_the_shared_parameters_alone() -> None:
    problem, method = toy("adam", DOUBLE), AdaTask()
    method.setup(problem.context)
    problem.train(method, range(5))
    state = problem.machine.mover.optimizer.state
    assert not any(state[p]["exp_avg"].any() for p in problem.machine.shared.values())
    assert all(state[p]["exp_avg"].any() for k in ALL for p in problem.machine.owned[k])


def test_scales_of_the_losses_do_not_matter() -> None:
    plain, scaled = ready(epsilon=1e-30), ready(epsilon=1e-30)
    for t in range(5):
        found = plain.direction(rows_of(t), ALL)
        other = scaled.direction(rows_of(t) * torch.tensor([1e-3, 1.0, 1e3], dtype=DOUBLE)[:, None], ALL)
    assert_close(other, found)


def test_an_absent_task_keeps_its_moments() -> None:
    method = ready()
    for t in range(3):
        method.direction(rows_of(t), ALL)
    assert method.means.vectors is not None
    assert method.squares.vectors is not None
    kept = method.means.vectors[1].clone(), method.squares.vectors[1].clone()
    method.direction(rows_of(3)[[0, 2]], (0, 2))
    assert torch.equal(method.means.vectors[1], kept[0])
    assert torch.equal(method.squares.vectors[1], kept[1])
    assert method.seen == [4, 3, 4]


def test_a_bad_batch_is_one_skipped_step() -> None:
    problem, method = toy("adam"), AdaTask()
    method.setup(problem.context)
    problem.batches[1].image[0] = torch.nan
    problem.train(method, range(2))
    assert problem.machine.ledger.counts.optimizer_steps == 3
    assert problem.machine.ledger.failures.totals.tolist() == [1, 1]
    assert method.seen == [1, 1, 1]


@pytest.mark.parametrize("options", [{"beta1": 1.0}, {"beta2": -0.1}, {"epsilon": 0.0}])
def test_ranges(options: dict[str, float]) -> None:
    with pytest.raises(BenchError, match="beta1 and beta2 lie in"):
        ready(**options)


@pytest.mark.parametrize("shared", [0.0, 0.01])
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.RMSprop, torch.optim.AdamW, torch.optim.SGD])
def test_weight_decay_that_is_normalised_is_refused(kind: Any, shared: float) -> None:
    """Adam makes of a decay alone a step as long as the learning rate; heads may have it."""
    encoder, heads = nn.Linear(3, 4), [nn.Linear(4, 1) for _ in range(2)]
    own = [parameter for head in heads for parameter in head.parameters()]
    groups = [{"params": encoder.parameters(), "weight_decay": shared}, {"params": own, "weight_decay": 0.01}]
    optimizer = kind(groups, lr=0.01)
    if shared and kind in (torch.optim.Adam, torch.optim.RMSprop):
        with pytest.raises(BenchError, match="set its weight_decay to 0, or choose"):
            Stepper(AdaTask(), shared=encoder, heads=heads, optimizer=optimizer)
    else:
        Stepper(AdaTask(), shared=encoder, heads=heads, optimizer=optimizer)


def test_a_head_whose_gradient_is_not_finite_leaves_everything_where_it_was() -> None:
    problem, method = toy(dtype=DOUBLE), AdaTask()
    method.setup(problem.context)
    method.update(problem.step(0))
    before, state = problem.parameters, copy.deepcopy(method.state_dict())
    hook = problem.machine.owned[1][0].register_hook(lambda gradient: gradient * torch.nan)
    method.update(problem.step(1))
    hook.remove()
    assert torch.equal(problem.parameters, before)
    assert_close(method.state_dict(), state)
