"""Methods against TorchJD's implementations and a quadratic program."""

import pytest
import torch
from jaxtyping import Float
from qpsolvers import solve_qp
from torch import Tensor
from torch.testing import assert_close
from torchjd.aggregation import GradDrop as TheirGradDrop
from torchjd.aggregation import MGDAWeighting, PCGradWeighting, RandomWeighting
from torchjd.scalarization import DWA as TheirDWA
from torchjd.scalarization import FAMO as TheirFAMO
from torchjd.scalarization import UW as TheirUW

from mtl_bench.methods.dwa import DynamicWeightAverage
from mtl_bench.methods.famo import FAMO
from mtl_bench.methods.graddrop import GradDrop
from mtl_bench.methods.mgda import MGDA
from mtl_bench.methods.pcgrad import PCGrad
from mtl_bench.methods.rlw import RandomLossWeighting
from mtl_bench.methods.uw import UncertaintyWeighting
from tests.methods.toys import context, gramian_of, toy

ALL = (0, 1, 2)
DOUBLE = torch.float64
LOSSES = torch.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize("k", range(1, 9))
def test_pcgrad_equals_torchjd_from_one_stream(k: int) -> None:
    """Both draw one permutation of all k tasks for every task."""
    for seed in range(20):
        gramian = gramian_of(k, k + 1, seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            expected = PCGradWeighting()(gramian)
        found = PCGrad().weights(gramian, generator=torch.Generator().manual_seed(seed))
        assert_close(found, expected, rtol=1e-9, atol=1e-11)


def length(weights: Float[Tensor, "k"], gramian: Float[Tensor, "k k"]) -> float:
    return (weights @ gramian @ weights).item()


@pytest.mark.parametrize("k", range(2, 9))
def test_mgda_is_as_short_as_a_quadratic_program(k: int) -> None:
    for seed in range(20):
        gramian = gramian_of(k, k + 2, seed)
        solved = solve_qp(
            P=2 * gramian.numpy(),
            q=torch.zeros(k, dtype=DOUBLE).numpy(),
            A=torch.ones(1, k, dtype=DOUBLE).numpy(),
            b=torch.ones(1, dtype=DOUBLE).numpy(),
            lb=torch.zeros(k, dtype=DOUBLE).numpy(),
            solver="quadprog",
        )
        assert solved is not None
        assert_close(MGDA().weights(gramian), torch.from_numpy(solved), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("k", range(2, 9))
def test_mgda_is_what_torchjds_frank_wolfe_approaches(k: int) -> None:
    for seed in range(5):
        gramian = gramian_of(k, k + 2, seed)
        theirs = MGDAWeighting(epsilon=1e-12, max_iters=2000)(gramian)
        ours = MGDA().weights(gramian)
        assert length(ours, gramian) <= length(theirs, gramian) + 1e-12
        assert length(theirs, gramian) - length(ours, gramian) < 0.01 * gramian.diagonal().min()


@pytest.mark.parametrize("leak", [0.0, 0.25])
def test_graddrop_at_the_parameters_equals_torchjd(leak: float) -> None:
    problem, method = toy(dtype=DOUBLE), GradDrop(at="shared", leak=leak)
    method.setup(problem.context)
    step = problem.step(0)
    gradients = step.gradients(step.losses())
    rows = gradients.matrix()
    with torch.random.fork_rng():
        torch.manual_seed(4)
        expected = TheirGradDrop(leak=torch.full((3,), leak, dtype=DOUBLE))(rows)
    assert_close(method.direction(gradients, generator=torch.Generator().manual_seed(4)), expected)


def test_rlw_equals_torchjd_from_one_stream() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(6)
        expected = RandomWeighting()(torch.ones(3, 2))
    found = RandomLossWeighting(raw_scale=True)
    assert_close(found.task_weights(LOSSES, tasks=ALL, generator=torch.Generator().manual_seed(6)), expected)


def test_dwa_equals_torchjd_over_five_epochs() -> None:
    ours, theirs = DynamicWeightAverage(), TheirDWA()
    ours.setup(context())
    draw = torch.Generator().manual_seed(0)
    for _ in range(5):
        batches = torch.rand(7, 3, generator=draw) + 0.1
        for values in batches:
            mixed = values.clone().requires_grad_()
            theirs(mixed).backward()
            assert mixed.grad is not None
            assert_close(ours.task_weights(values, tasks=ALL), mixed.grad)
        ours.end_epoch(batches.double().mean(dim=0))
        theirs.step()


def test_uw_equals_torchjd_under_adam() -> None:
    """Their one vector moves as our scalars do while every task has a label."""
    ours, theirs = UncertaintyWeighting(form="half", lr=0.05), TheirUW(3)
    ours.setup(context())
    adam = torch.optim.Adam(theirs.parameters(), lr=0.05)
    draw = torch.Generator().manual_seed(0)
    for _ in range(60):
        values = torch.rand(3, generator=draw) * LOSSES
        mixed = values.clone().requires_grad_()
        theirs(mixed).backward()
        assert mixed.grad is not None
        assert_close(ours.task_weights(values, tasks=ALL), mixed.grad, rtol=1e-5, atol=1e-6)
        ours.observe(values, tasks=ALL)
        adam.step()
        adam.zero_grad()


def test_famo_equals_torchjd_over_thirty_batches() -> None:
    problem, other = toy(), toy()
    ours, theirs = FAMO(raw_scale=True, lr=0.05, gamma=0.01), TheirFAMO(3, lr=0.05, weight_decay=0.01)
    ours.setup(problem.context)
    for batch in range(30):
        ours.update(problem.step(batch))
        graph = other.step(batch).losses().graph
        assert graph is not None
        theirs(torch.stack([graph.terms[task] for task in ALL])).backward()
        other.machine.mover.optimizer.step()
        other.machine.mover.optimizer.zero_grad()
        theirs.update(other.step(batch).losses(grad=False).values)
    assert_close(ours.logits.values(ALL), theirs._w.detach(), rtol=1e-3, atol=1e-4)
    assert_close(problem.parameters, other.parameters, rtol=1e-3, atol=1e-4)
