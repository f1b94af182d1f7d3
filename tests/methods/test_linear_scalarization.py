"""The presets of fixed weights: `ls`, `priority`, `fixed`."""

from collections.abc import Mapping

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods.linear_scalarization import LinearScalarization
from tests.methods.toys import context, toy

LOSSES = torch.tensor([1.0, 2.0, 3.0])
ALL = (0, 1, 2)


def weights_of(
    method: LinearScalarization, tasks: tuple[int, ...] = ALL, static_weights: Mapping[str, float] | None = None
) -> list[float]:
    method.setup(context(static_weights=static_weights or {}))
    return method.task_weights(LOSSES[list(tasks)], tasks=tasks).tolist()


def test_ls_is_the_plain_sum() -> None:
    assert weights_of(LinearScalarization()) == [1, 1, 1]
    assert weights_of(LinearScalarization(), tasks=(0, 2)) == [1, 1]


def test_ls_takes_the_protocols_static_weights() -> None:
    static = {"colour": 3.0, "shape": 0.5, "depth": 2.0}  # by name, whatever the order
    assert weights_of(LinearScalarization(), static_weights=static) == [0.5, 2, 3]
    assert weights_of(LinearScalarization(), tasks=(1, 2), static_weights=static) == [2, 3]


def test_priorities_are_k_times_their_share() -> None:
    method = LinearScalarization(priorities={"shape": 5, "depth": 3, "colour": 2})
    assert weights_of(method) == pytest.approx([1.5, 0.9, 0.6])
    assert weights_of(method, tasks=(0, 2)) == pytest.approx([1.5, 0.6])  # K, not the k tasks of the batch
    assert weights_of(LinearScalarization(priorities={"depth": 4})) == pytest.approx([0.5, 2, 0.5])
    assert weights_of(LinearScalarization(priorities=dict.fromkeys(("shape", "depth", "colour"), 7))) == [1, 1, 1]


def test_fixed_weights_are_used_as_they_are() -> None:
    assert weights_of(LinearScalarization(fixed={"shape": 4, "depth": 0.25, "colour": 0})) == [4, 0.25, 0]


@pytest.mark.parametrize("raw_scale", [False, True])
def test_the_scale_is_common_already(raw_scale: bool) -> None:
    assert weights_of(LinearScalarization(raw_scale=raw_scale)) == [1, 1, 1]


@pytest.mark.parametrize("names", [("shape", "depth"), ("shape", "depth", "color"), ()])
@pytest.mark.parametrize("preset", ["fixed", "static_weights"])
def test_each_task_is_named_once(preset: str, names: tuple[str, ...]) -> None:
    given = {name: 1 / len(names) for name in names}
    if preset == "static_weights":
        method, told = LinearScalarization(), context(static_weights=given or {"shape": 1.0})  # empty: all 1
    else:
        method, told = LinearScalarization(**{preset: given}), context()  # type: ignore[arg-type]
    with pytest.raises(BenchError, match="name each task once"):
        method.setup(told)


def test_not_both() -> None:
    even = dict.fromkeys(("shape", "depth", "colour"), 1 / 3)
    with pytest.raises(BenchError, match="not both"):
        LinearScalarization(priorities=even, fixed=even).setup(context())


def test_a_step_is_gradient_descent_on_the_sum() -> None:
    problem, other = toy(dtype=torch.float64), toy(dtype=torch.float64)
    method = LinearScalarization(fixed={"shape": 2, "depth": 0.5, "colour": 1})
    method.setup(problem.context)
    problem.train(method, range(5))
    for batch in range(5):
        graph = other.step(batch).losses().graph
        assert graph is not None
        (2 * graph.terms[0] + 0.5 * graph.terms[1] + graph.terms[2]).backward()
        other.machine.mover.optimizer.step()
        other.machine.mover.optimizer.zero_grad()
    assert_close(problem.parameters, other.parameters, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_climbs_a_loss_is_refused(weight: float) -> None:
    method = LinearScalarization(fixed={"shape": weight, "depth": 1, "colour": 1})
    with pytest.raises(BenchError, match="Task weights are numbers, finite and not negative"):
        method.setup(context())
