"""What the family of loss weightings does with its weights, whatever they are."""

from collections.abc import Callable

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods import LossWeighting
from mtl_bench.methods.dtp import DynamicTaskPrioritization
from mtl_bench.methods.dwa import DynamicWeightAverage
from mtl_bench.methods.gls import GeometricLoss
from mtl_bench.methods.go4align import GO4Align
from mtl_bench.methods.imtl_l import IMTLL
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.loss_weighting import pick
from mtl_bench.methods.rlw import RandomLossWeighting
from mtl_bench.methods.si import ScaleInvariant
from mtl_bench.methods.stch import STCH
from mtl_bench.methods.uw import UncertaintyWeighting
from tests.methods.toys import context, toy

METHODS: dict[str, Callable[[], LossWeighting]] = {
    "ls": LinearScalarization,
    "fixed": lambda: LinearScalarization(fixed={"shape": 2, "depth": 0.5, "colour": 1}),
    "rlw": RandomLossWeighting,
    "uw": UncertaintyWeighting,
    "dwa": DynamicWeightAverage,
    "dwa over windows": lambda: DynamicWeightAverage(window=1),
    "dtp": DynamicTaskPrioritization,
    "gls": GeometricLoss,
    "go4align": lambda: GO4Align(beta=0.1),
    "imtl_l": IMTLL,
    "si": ScaleInvariant,
    "stch": lambda: STCH(warmup=0),
    "stch of losses": lambda: STCH(form="loss"),
}

ALL = (0, 1, 2)
DOUBLE = torch.float64


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> LossWeighting:
    """Set up, with some history."""
    made = METHODS[request.param]()
    made.setup(context())
    for epoch in range(1, 4):
        made.end_epoch(torch.tensor([1.0, 2.0, 3.0], dtype=DOUBLE) / epoch ** torch.arange(3))
        made.observe(torch.tensor([1.0, 2.0, 3.0]), tasks=ALL)
    return made


def weights_of(method: LossWeighting, values: list[float], tasks: tuple[int, ...] = ALL) -> torch.Tensor:
    return method.task_weights(torch.tensor(values), tasks=tasks, generator=torch.Generator().manual_seed(0))


def test_weights_have_the_sum_they_declare(method: LossWeighting) -> None:
    agreeing = isinstance(method, GeometricLoss | GO4Align)  # theirs is the sum where tasks agree
    if method.natural_sum is not None and getattr(method, "fixed", None) is None and not agreeing:
        assert_close(weights_of(method, [1.0, 2.0, 3.0]).sum().item(), 3.0)


def test_equal_tasks_are_the_plain_sum() -> None:
    for name in ("ls", "dwa", "gls", "si", "imtl_l", "stch", "stch of losses"):
        made = METHODS[name]()
        made.setup(context())
        assert_close(weights_of(made, [1.0, 1.0, 1.0]), torch.ones(3))


def test_separable_is_true(method: LossWeighting) -> None:
    """The weight of task 1 depends on neither the losses nor the presence of the others."""
    alone = weights_of(method, [2.0], tasks=(1,))
    same = [
        torch.equal(weights_of(method, [1.0, 2.0, 3.0])[1:2], alone),
        torch.equal(weights_of(method, [9.0, 2.0, 0.1])[1:2], alone),
        torch.equal(weights_of(method, [2.0, 3.0], tasks=(1, 2))[:1], alone),
    ]
    assert all(same) if method.separable else not all(same)


def test_weights_need_no_gradient(method: LossWeighting) -> None:
    assert not weights_of(method, [1.0, 2.0, 3.0]).requires_grad


@pytest.mark.parametrize("scale_heads", [False, True])
def test_heads_feel_the_weights_unless_told_otherwise(method: LossWeighting, scale_heads: bool) -> None:
    problem = toy(dtype=DOUBLE)
    method.scale_heads = scale_heads
    machine = problem.machine
    graph = problem.step(0).losses().graph
    assert graph is not None
    rows = problem.task_gradients(0)
    heads = [torch.autograd.grad(graph.terms[k], machine.owned[k], retain_graph=True) for k in ALL]
    before = {p: p.detach().clone() for p in machine.mover.parameters}
    losses = problem.step(0).losses(grad=False)
    draw = torch.Generator().manual_seed(2)  # the machine's
    weights = method.task_weights(losses.values, tasks=ALL, generator=draw).double()
    method.update(problem.step(0))
    shared = torch.cat([((before[p] - p.detach()) / 0.1).reshape(-1) for p in machine.shared.values()])
    assert_close(shared, weights @ rows, rtol=1e-6, atol=1e-9)
    for k in ALL:
        for parameter, gradient in zip(machine.owned[k], heads[k], strict=True):
            moved = (before[parameter] - parameter.detach()) / 0.1
            assert_close(moved, gradient * (weights[k] if scale_heads else 1.0), rtol=1e-6, atol=1e-9)


def test_unweighted_heads_need_one_encoder_pass() -> None:
    with pytest.raises(BenchError, match="path per task"):
        RandomLossWeighting(scale_heads=False).setup(context(per_task_path=True))
    RandomLossWeighting().setup(context(per_task_path=True))


def test_state_moves_after_the_backward_and_before_the_step() -> None:
    class Watched(UncertaintyWeighting):
        def observe(self, values: torch.Tensor, *, tasks: tuple[int, ...]) -> None:
            step.calls.names.append("observe")
            super().observe(values, tasks=tasks)

    problem, method = toy(), Watched()
    method.setup(problem.context)
    step = problem.step(0)
    method.update(step)
    assert step.calls.names == ["losses", "backward", "observe", "apply"]
    assert step.calls.weights[0] is not None
    assert step.calls.weights[0].tolist() == [1.0, 0.5, 1.0]  # read before s moved


def test_pick() -> None:
    values = torch.tensor([1.0, 2.0, 3.0])
    assert torch.equal(pick(values, ALL), values)
    assert pick(values, (0, 2)).tolist() == [1, 3]
    assert pick(values, (1,)).tolist() == [2]
