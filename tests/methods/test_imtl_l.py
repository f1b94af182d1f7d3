"""IMTL-L: equal to joint training by autograd."""

import pytest
import torch

from mtl_bench.methods.imtl_l import IMTLL
from mtl_bench.methods.uw import UncertaintyWeighting
from tests.methods.toys import context, toy

ALL = (0, 1, 2)
LOSSES = torch.tensor([1.0, 2.0, 3.0])


def ready(lr: float = 0.025) -> IMTLL:
    method = IMTLL(lr=lr)
    method.setup(context())
    return method


def test_equals_joint_training() -> None:
    """Σ e^{s_k} l_k − s_k, s under an Adam of its own, over 40 batches in float32."""
    problem, other, method = toy("adam"), toy("adam"), ready(0.05)
    s = [torch.full((), 0.0, requires_grad=True) for _ in ALL]
    adam = torch.optim.Adam(s, lr=0.05, fused=True)
    for batch in range(40):
        method.update(problem.step(batch))
        graph = other.step(batch).losses().graph
        assert graph is not None
        terms, scales = torch.stack([graph.terms[k] for k in ALL]), torch.stack(s)
        (torch.dot(terms, scales.exp()) - scales.sum()).backward()
        for own in (other.machine.mover.optimizer, adam):
            own.step()
            own.zero_grad()
    assert torch.equal(method.log_scale.values(ALL), torch.stack(s).detach())
    assert torch.equal(problem.parameters, other.parameters)


def test_at_rest_all_weighted_losses_are_one() -> None:
    method = ready(0.05)
    for _ in range(800):
        method.observe(LOSSES, tasks=ALL)
    assert (method.weights(LOSSES, tasks=ALL) * LOSSES).tolist() == pytest.approx([1.0] * 3, rel=1e-3)


def test_it_is_twice_uncertainty_weighting_of_the_other_sign() -> None:
    ours, uw = ready(), UncertaintyWeighting(form="half")
    uw.setup(context())
    for _ in range(30):
        ours.observe(LOSSES, tasks=ALL)
        uw.observe(LOSSES, tasks=ALL)
    torch.testing.assert_close(ours.weights(LOSSES, tasks=ALL), 2 * uw.weights(LOSSES, tasks=ALL))


def test_a_loss_of_zero_does_not_take_all() -> None:
    method = ready(1.0)
    for _ in range(50):
        method.observe(torch.tensor([0.0, 1.0, 1.0]), tasks=ALL)
    assert method.log_scale.values(ALL)[0] == 10


def test_an_absent_tasks_scale_stays() -> None:
    problem, method = toy(absent=1), ready()
    for batch in range(6):
        before = method.log_scale.values(ALL)
        method.update(problem.step(batch))
        moved = (method.log_scale.values(ALL) != before).tolist()
        assert moved == [True, batch % 2 == 0, True]
