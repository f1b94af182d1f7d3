"""Controls: repeated steps, and random groups in turn."""

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.methods import Method
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.random_groups import RandomGroups
from mtl_bench.methods.repeated import Repeated
from mtl_bench.methods.stgu import STGU
from mtl_bench.methods.uw import UncertaintyWeighting
from tests.methods.toys import Toy, toy


def trained(method: Method, batches: list[int]) -> Toy:
    problem = toy("sgd", torch.float64)
    method.setup(problem.context)
    problem.train(method, batches)
    return problem


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_repeated_is_the_sum_on_repeated_batches(steps: int) -> None:
    repeated = trained(Repeated(steps=steps), [0, 1])
    plain = trained(LinearScalarization(), [0] * steps + [1] * steps)
    assert torch.equal(repeated.parameters, plain.parameters)
    assert repeated.machine.ledger.counts.optimizer_steps == 2 * steps


FIXED = {"shape": 0.5, "depth": 2.0, "colour": 3.0}


@pytest.mark.parametrize(
    ("method", "repeats"),
    [
        (Repeated(steps=2, weighting=LinearScalarization(fixed=FIXED)), 2),
        (RandomGroups(groups=1, weighting=LinearScalarization(fixed=FIXED)), 1),
        (STGU(warmup=0, every=1000, weighting=LinearScalarization(fixed=FIXED)), 2),
    ],
    ids=["repeated", "random groups", "stgu"],
)
def test_every_step_is_of_the_weighted_losses(method: Method, repeats: int) -> None:
    problem = toy("sgd", torch.float64)
    method.setup(problem.context)
    if isinstance(method, STGU):
        method.batches, method.partition = 1, [[0, 1, 2]]  # past its warm-up; its matrix of zeros groups nothing anew
    problem.train(method, [0, 1])
    plain = trained(LinearScalarization(fixed=FIXED), [0] * repeats + [1] * repeats)
    torch.testing.assert_close(problem.parameters, plain.parameters, rtol=1e-12, atol=1e-14)


def test_one_random_group_is_the_sum() -> None:
    one, plain = trained(RandomGroups(groups=1), [0, 1, 2]), trained(LinearScalarization(), [0, 1, 2])
    assert torch.equal(one.parameters, plain.parameters)


def test_random_groups_are_partitions_of_even_sizes() -> None:
    problem, method = toy(), RandomGroups(groups=2)
    method.setup(problem.context)
    seen = set()
    for batch in range(20):
        step = problem.step(batch)
        groups: list[tuple[int, ...]] = []
        taken = step.losses
        step.losses = lambda grad, taken=taken, groups=groups: groups.append(tuple(grad)) or taken(grad=grad)  # type: ignore
        method.update(step)
        assert sorted(task for group in groups for task in group) == [0, 1, 2]
        assert [len(group) for group in groups] == [2, 1]
        seen.add(groups[1])
    assert seen == {(0,), (1,), (2,)}


@pytest.mark.parametrize("method", [Repeated, RandomGroups])
def test_a_weighting_is_asked_and_moved_once_per_batch(method: type[Repeated | RandomGroups]) -> None:
    weighting = UncertaintyWeighting()
    moves: list[tuple[int, ...]] = []
    observe = weighting.observe
    weighting.observe = lambda values, *, tasks: moves.append(tasks) or observe(values, tasks=tasks)  # type: ignore
    trained(method(weighting=weighting), [0, 1])
    assert moves == [(0, 1, 2)] * 2


def test_options_that_they_refuse() -> None:
    with pytest.raises(BenchError, match="steps"):
        Repeated(steps=0).setup(toy().context)
    with pytest.raises(BenchError, match="groups"):
        RandomGroups(groups=0).setup(toy().context)
