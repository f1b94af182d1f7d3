"""RLW: its law, its scale and its stream."""

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods.rlw import RandomLossWeighting
from tests.methods.toys import context, toy

LOSSES = torch.tensor([1.0, 2.0, 3.0])


def test_weights_are_the_softmax_of_normal_draws() -> None:
    expected = torch.randn(3, generator=torch.Generator().manual_seed(5)).softmax(dim=0)
    generator = torch.Generator().manual_seed(5)
    found = RandomLossWeighting().weights(LOSSES, tasks=(0, 1, 2), generator=generator)
    assert torch.equal(found, expected)
    assert not torch.equal(found, RandomLossWeighting().weights(LOSSES, tasks=(0, 1, 2), generator=generator))


def test_sums() -> None:
    for tasks in ((0, 1, 2), (0, 2), (1,)):
        draws = [torch.Generator().manual_seed(n) for n in range(2)]
        values = LOSSES[list(tasks)]
        common = RandomLossWeighting().task_weights(values, tasks=tasks, generator=draws[0])
        published = RandomLossWeighting(raw_scale=True).task_weights(values, tasks=tasks, generator=draws[1])
        assert_close(common.sum().item(), float(len(tasks)))
        assert_close(published.sum().item(), 1.0)


def test_every_task_has_the_same_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    method = RandomLossWeighting()
    found = torch.stack([method.task_weights(LOSSES, tasks=(0, 1, 2), generator=generator) for _ in range(4000)])
    error = found.std(dim=0) / 4000**0.5
    assert ((found.mean(dim=0) - 1).abs() < 5 * error).all()


def test_draws_come_from_the_methods_stream_only() -> None:
    """The global stream belongs to dropout: it neither moves nor matters."""
    trajectories = []
    for seed in (0, 1):
        problem, method = toy(), RandomLossWeighting()
        method.setup(context())
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        problem.train(method, range(4))
        assert torch.equal(torch.get_rng_state(), before)
        trajectories.append(problem.parameters)
    assert torch.equal(*trajectories)


def test_one_draw_per_batch_serves_every_task() -> None:
    problem, method = toy(), RandomLossWeighting()
    method.setup(context())
    step = problem.step(0)
    method.update(step)
    expected = 3 * torch.randn(3, generator=torch.Generator().manual_seed(2)).softmax(dim=0)  # the machine's seed
    assert step.calls.weights[0] is not None
    assert torch.equal(step.calls.weights[0], expected)


LAWS = ("normal", "uniform", "dirichlet", "bernoulli", "one_hot")


def drawn(law: str, count: int, tasks: tuple[int, ...] = (0, 1, 2)) -> torch.Tensor:
    method, generator = RandomLossWeighting(law=law, raw_scale=True), torch.Generator().manual_seed(0)  # type: ignore[arg-type]
    method.setup(context())
    values = LOSSES[list(tasks)]
    return torch.stack([method.task_weights(values, tasks=tasks, generator=generator) for _ in range(count)])


@pytest.mark.parametrize("law", LAWS)
def test_every_law_is_fair_and_sums_to_one(law: str) -> None:
    found = drawn(law, 3000)
    assert_close(found.sum(dim=1), torch.ones(3000))
    assert (found >= 0).all()
    assert ((found.mean(dim=0) - 1 / 3).abs() < 5 * found.std(dim=0) / 3000**0.5).all()
    assert drawn(law, 5, (1,)).tolist() == [[1.0]] * 5


def test_shapes_of_the_laws() -> None:
    assert set(drawn("one_hot", 200).flatten().tolist()) == {0.0, 1.0}
    assert {round(w, 4) for w in drawn("bernoulli", 200).flatten().tolist()} == {0.0, 0.3333, 0.5, 1.0}
    uniform = drawn("uniform", 2000)
    assert uniform.min() >= 1 / (1 + 2 * 2.7183)  # softmax of numbers in [0, 1]
    variance = drawn("dirichlet", 20000).var(dim=0)  # of a marginal Beta(1, 2)
    assert_close(variance, torch.full((3,), 1 / 18), rtol=0.05, atol=0)


def test_an_unknown_law() -> None:
    with pytest.raises(BenchError, match=r"method\.law is one of normal, uniform"):
        drawn("cauchy", 1)
