"""Composition: a weighting inside a gradient method."""

from collections.abc import Callable

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.methods import GradientAggregation
from mtl_bench.methods.dwa import DynamicWeightAverage
from mtl_bench.methods.graddrop import GradDrop
from mtl_bench.methods.gradient import GradientMethod
from mtl_bench.methods.interface import Step, TaskGradients
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.loss_weighting import LossWeighting
from mtl_bench.methods.mgda import MGDA
from mtl_bench.methods.pcgrad import PCGrad
from mtl_bench.methods.rlw import RandomLossWeighting
from mtl_bench.methods.uw import UncertaintyWeighting
from tests.methods.toys import context, toy

FIXED = {"shape": 2.0, "depth": 0.25, "colour": 1.0}
ALL = (0, 1, 2)
MAKE: list[Callable[..., GradientMethod]] = [PCGrad, MGDA, GradDrop, lambda **a: GradDrop(at="shared", **a)]


class Sum(GradientAggregation):
    """d = Σ g_k."""

    natural_sum = "k"

    def direction(self, gradients: TaskGradients, *, generator: torch.Generator) -> Float[Tensor, "P"]:
        return gradients.matrix().sum(dim=0)


@pytest.mark.parametrize("at", ["shared", "feature"])
def test_weights_scale_rows_and_heads_before_the_method(at: str) -> None:
    """The sum of weighted gradients is the weighting on its own, heads included."""
    alone, inside = toy(dtype=torch.float64), toy(dtype=torch.float64)
    weighting = LinearScalarization(fixed=FIXED)
    method = Sum(weighting=LinearScalarization(fixed=FIXED), at=at)  # type: ignore[arg-type]
    for chosen, problem in ((weighting, alone), (method, inside)):
        chosen.setup(problem.context)
        problem.train(chosen, range(6))
    assert_close(inside.parameters, alone.parameters, rtol=1e-10, atol=1e-12)


def test_a_gramian_method_sees_the_scaled_gramian() -> None:
    class Watched(PCGrad):
        def write(self, gradients: TaskGradients, step: Step) -> None:
            self.seen, self.values = gradients.gramian(), gradients.losses
            super().write(gradients, step)

    problem, method = toy(dtype=torch.float64), Watched(weighting=LinearScalarization(fixed=FIXED))
    method.setup(problem.context)
    rows = problem.task_gradients(0) * torch.tensor(list(FIXED.values()), dtype=torch.float64)[:, None]
    step = problem.step(0)
    method.update(step)
    assert_close(method.seen, rows @ rows.T)
    assert_close(method.values, step.calls.values[0] * torch.tensor(list(FIXED.values()), dtype=torch.float64))


@pytest.mark.parametrize("make", MAKE)
def test_the_default_is_the_protocols_static_weights(make: Callable[..., GradientMethod]) -> None:
    by_protocol, by_hand = toy(), toy()
    first, second = make(), make(weighting=LinearScalarization(fixed=FIXED))
    first.setup(context(static_weights=FIXED))
    second.setup(context())
    by_protocol.train(first, range(4))
    by_hand.train(second, range(4))
    assert torch.equal(by_protocol.parameters, by_hand.parameters)


@pytest.mark.parametrize("make", MAKE)
def test_the_weighting_observes_raw_losses_once_per_batch(make: Callable[..., GradientMethod]) -> None:
    class Watched(UncertaintyWeighting):
        def observe(self, values: torch.Tensor, *, tasks: tuple[int, ...]) -> None:
            step.calls.names.append("observe")
            seen.append((values, tasks))
            super().observe(values, tasks=tasks)

    seen: list[tuple[torch.Tensor, tuple[int, ...]]] = []
    problem, method = toy(absent=1), make(weighting=Watched(initial=1.0))
    method.setup(problem.context)
    for batch in range(2):
        step = problem.step(batch)
        before = method.active_weighting.weights(torch.ones(len(step.tasks)), tasks=step.tasks)
        method.update(step)
        assert step.calls.names == ["losses", f"gradients at {method.at}", "observe", "apply"]
        assert torch.equal(seen[batch][0], step.calls.values[0])
        assert seen[batch][1] == step.tasks
        assert step.calls.weights[0] is not None
        assert torch.equal(step.calls.weights[0], before)


def test_the_weighting_is_on_the_common_scale() -> None:
    """RLW's published weights sum to 1; inside a method, too, equal weights mean 1 each."""
    problem, method = toy(), PCGrad(weighting=RandomLossWeighting())
    method.setup(problem.context)
    step = problem.step(0)
    method.update(step)
    assert step.calls.weights[0] is not None
    assert_close(step.calls.weights[0].sum().item(), 3.0)


def test_epoch_means_reach_the_weighting() -> None:
    method = MGDA(weighting=DynamicWeightAverage())
    method.setup(context())
    for means in ([4.0, 2.0, 1.0], [2.0, 2.0, 1.5]):
        method.end_epoch(torch.tensor(means, dtype=torch.float64))
    expected = 3 * (torch.tensor([0.5, 1.0, 1.5]) / 2).softmax(dim=0)
    assert_close(method.active_weighting.weights(torch.ones(3), tasks=ALL), expected)


def test_a_nested_weighting_is_part_of_the_state() -> None:
    weighting: LossWeighting = UncertaintyWeighting()
    method, other = PCGrad(weighting=weighting), PCGrad(weighting=UncertaintyWeighting())
    method.setup(context())
    other.setup(context())
    weighting.observe(torch.tensor([1.0, 2.0, 3.0]), tasks=ALL)
    other.load_state_dict(method.state_dict())
    found = other.active_weighting.weights(torch.ones(3), tasks=ALL)
    assert torch.equal(found, weighting.weights(torch.ones(3), tasks=ALL))
    assert found[0] != 1
