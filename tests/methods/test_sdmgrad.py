"""SDMGrad: three independent parts of a batch, weights on the simplex that are kept, priorities."""

from collections.abc import Callable

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods import Method, SDMGrad, WPCGrad
from mtl_bench.methods.moco import nearest_in_simplex
from tests.methods.toys import context, gramian_of, toy

DOUBLE = torch.float64


def method_of(tasks: int = 3, **options: object) -> SDMGrad:
    method = SDMGrad(**options)  # type: ignore[arg-type]
    method.setup(context(["shape", "depth", "colour"][:tasks]))
    return method


def test_the_direction_is_that_of_three_parts() -> None:
    problem, method = toy(dtype=DOUBLE), SDMGrad(iterations=3, lr=0.1)
    method.setup(problem.context)
    step, same = problem.step(0), problem.step(0)
    rows = [part.gradients(part.losses()).matrix().clone() for part in same.split(3)]
    inner, p = rows[0] @ rows[1].T, torch.full((3,), 1 / 3, dtype=DOUBLE)
    inner = inner / inner.diagonal().clamp(min=0).sqrt().mean() ** 2
    w, velocity = p, torch.zeros(3, dtype=DOUBLE)
    for _ in range(3):
        velocity = 0.5 * velocity + inner @ (w + 0.3 * p)
        w = nearest_in_simplex(w - 0.1 * velocity)
    step.apply = lambda: None  # type: ignore[method-assign,assignment]
    method.update(step)
    written = torch.cat([q.grad.reshape(-1) for q in problem.machine.shared.values() if q.grad is not None])
    assert_close(written, 3 * ((w + 0.3 * p) / 1.3) @ rows[2])
    assert_close(method.simplex, w)
    assert not torch.equal(w, p)


def test_its_own_clip_bounds_the_shared_gradient_alone() -> None:
    norms, heads = [], []
    for options in ({}, {"max_norm": 0.01}, {"scale_heads": True, "max_norm": 0.01}, {"scale_heads": True}):
        problem, method = toy(dtype=DOUBLE), SDMGrad(**options)  # type: ignore[arg-type]
        method.setup(problem.context)
        step = problem.step(0)
        step.apply = lambda: None  # type: ignore[method-assign,assignment]
        method.update(step)
        norms.append(
            torch.cat([p.grad.reshape(-1) for p in problem.machine.shared.values() if p.grad is not None]).norm()
        )
        heads.append(torch.cat([p.grad.reshape(-1) for own in problem.machine.owned.values() for p in own]))
    assert norms[0] == norms[3] > 0.01
    assert_close(torch.stack(norms[1:3]), torch.full((2,), 0.01, dtype=DOUBLE))
    assert torch.equal(heads[0], heads[1])
    assert torch.equal(heads[2], heads[3])
    assert not torch.allclose(heads[0], heads[2])


@pytest.mark.parametrize("make", [SDMGrad, WPCGrad, lambda **options: WPCGrad(variant="protected", **options)])
def test_priorities_of_zero_for_a_whole_batch_ask_for_no_step(make: Callable[..., Method]) -> None:
    problem, method = toy("sgd", dtype=DOUBLE), make(priorities={"shape": 0, "depth": 0})
    method.setup(problem.context)
    step = problem.step(0)
    step.tasks = (0, 1)
    before = [p.clone() for p in problem.machine.shared.values()]
    method.update(step)
    assert all(map(torch.equal, problem.machine.shared.values(), before))


def test_what_it_tells_of_a_batch_is_the_mean_of_its_parts() -> None:
    problem, method = toy(dtype=DOUBLE), SDMGrad()
    method.setup(problem.context)
    problem.machine.model.eval()
    values = torch.stack([part.losses(grad=False).values for part in problem.step(0).split(3)])
    method.update(problem.step(0))
    assert_close(problem.machine.ledger.batch_losses(), values.mean(dim=0))


def test_the_parts_do_not_share_memory() -> None:
    """As in released code, where all three are the last one."""
    problem = toy(dtype=DOUBLE)
    parts = problem.step(0).split(3)
    first, second = (part.gradients(part.losses()) for part in parts[:2])
    assert not torch.allclose(first.matrix(), second.matrix())
    assert_close(first.gramian(second), first.matrix() @ second.matrix().T)


def test_many_small_iterations_find_the_regularised_optimum() -> None:
    gramian = gramian_of(3, 5, 0)
    p = torch.full((3,), 1 / 3, dtype=DOUBLE)
    w = method_of(iterations=3000, lr=0.05).moved(gramian, (0, 1, 2), p)
    slopes = gramian @ (w + 0.3 * p)
    assert (w > 0).any()
    assert slopes[w > 1e-6].max() - slopes.min() < 1e-6


def test_absent_tasks_keep_their_share() -> None:
    method = method_of()
    method.simplex = torch.tensor([0.5, 0.2, 0.3], dtype=DOUBLE)
    w = method.moved(gramian_of(2, 3, 0), (0, 2), torch.full((2,), 0.5, dtype=DOUBLE))
    assert_close(w.sum().item(), 1.0)
    assert method.simplex[1] == 0.2
    assert_close(method.simplex[[0, 2]], 0.8 * w)


def test_priorities_are_the_direction_it_keeps_to() -> None:
    gramian = 2 * torch.eye(3, dtype=DOUBLE)
    p = method_of(priorities={"shape": 8}).preference((0, 1, 2), 3)
    assert_close(p, torch.tensor([0.8, 0.1, 0.1], dtype=DOUBLE))
    w = method_of(iterations=2000, lr=0.05, strength=0.3).moved(gramian, (0, 1, 2), p)
    assert_close(w + 0.3 * p, (w + 0.3 * p).mean().expand(3), rtol=1e-5, atol=1e-6)


def test_samples_that_disagree_give_finite_weights() -> None:
    """The diagonal of two samples' products may be negative."""
    for inner in (-torch.eye(3, dtype=DOUBLE), torch.zeros(3, 3, dtype=DOUBLE)):
        w = method_of().moved(inner, (0, 1, 2), torch.full((3,), 1 / 3, dtype=DOUBLE))
        assert_close(w.sum().item(), 1.0)


def test_a_batch_without_a_task_in_every_part_takes_no_step() -> None:
    problem, method = toy(dtype=DOUBLE), SDMGrad()
    method.setup(problem.context)
    step = problem.step(0)
    before = problem.parameters
    parts = step.split(3)
    for part in parts:
        part.tasks = ()
    step.split = lambda count: parts  # type: ignore[method-assign,assignment]
    method.update(step)
    assert torch.equal(problem.parameters, before)


def test_what_it_refuses() -> None:
    for options in ({"strength": -1.0}, {"lr": 0.0}, {"iterations": 0}, {"momentum": 1.0}):
        with pytest.raises(BenchError, match=r"method\."):
            method_of(**options)
    with pytest.raises(BenchError, match="compares gradients"):
        SDMGrad().setup(context(frozen=True))
