"""RLW: its law, its scale and its stream."""

import torch
from torch.testing import assert_close

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
