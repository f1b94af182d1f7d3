"""Learned priorities: the derivative of one step, what it does to a task that harms, and what moves nothing."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.testing import assert_close

from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.methods import LearnedPriority, LinearScalarization, UncertaintyWeighting
from mtl_bench.step import Stepper
from tests.methods.toys import Toy, context, make_batch, toy

DOUBLE = torch.float64
POINT = torch.tensor([0.4, -0.3, 0.1], dtype=DOUBLE)


class Logits:
    """In the place of the trained ones: at a point in float64, and keeps what it should descend."""

    def __init__(self, point: Float[Tensor, "K"]) -> None:
        self.point, self.gradient = point, torch.empty(0)

    def values(self, tasks: tuple[int, ...]) -> Float[Tensor, "k"]:
        return self.point[list(tasks)]

    def descend(self, gradient: Float[Tensor, "k"], tasks: tuple[int, ...]) -> None:
        self.gradient = gradient


def one_step(
    point: Float[Tensor, "K"], options: dict[str, Any], absent: int | None, **given: Any
) -> tuple[Toy, Logits]:
    """Two batches as the plain sum, so that there is momentum, and one with logits at `point`."""
    problem, plain, method = toy(dtype=DOUBLE, absent=absent), LinearScalarization(), LearnedPriority(**given)
    problem.machine.mover.optimizer.param_groups[0].update(options)
    problem.machine.mover._start_momentum()
    for each in (plain, method):
        each.setup(problem.context)
    problem.train(plain, [0, 2])
    method.logits = logits = Logits(point)  # type: ignore[assignment]
    problem.train(method, [1])
    return problem, logits


def held_out_loss(problem: Toy, shares: Sequence[float]) -> Tensor:
    values = problem.step(0).held_out().losses().values
    return values @ torch.tensor(shares, dtype=DOUBLE)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "weight_decay": 0.1}, {"momentum": 0.9, "nesterov": True}])
@pytest.mark.parametrize("absent", [None, 2])
@pytest.mark.parametrize(
    ("given", "shares"),
    [({}, [1 / 3] * 3), ({"priorities": {"depth": 2.0}, "raw_scale": True}, [0.25, 0.5, 0.25])],
)
def test_it_is_the_derivative_of_a_step_of_sgd(
    options: dict[str, Any], absent: int | None, given: dict[str, Any], shares: list[float]
) -> None:
    problem, logits = one_step(POINT, options, absent, **given)
    found = problem.machine.mover.lr * (1.9 if options.get("nesterov") else 1.0) * logits.gradient
    for k in range(len(found)):
        away = torch.zeros(3, dtype=DOUBLE)
        away[k] = 1e-5
        up, down = (one_step(POINT + side * away, options, absent, **given)[0] for side in (1, -1))
        expected = (held_out_loss(up, shares) - held_out_loss(down, shares)) / 2e-5
        assert abs(expected) > 1e-6
        assert_close(found[k], expected, rtol=1e-6, atol=1e-11)


def test_a_weighting_inside_is_part_of_the_step() -> None:
    """Its weights multiply the rows, and the heads' gradients."""
    ends = []
    for weighting in (None, UncertaintyWeighting()):
        problem, method = toy(dtype=DOUBLE), LearnedPriority(weighting=weighting)
        method.setup(problem.context)
        problem.train(method, [0])
        ends.append(problem.parameters)
    plain = toy(dtype=DOUBLE)
    summed = UncertaintyWeighting()
    summed.setup(plain.context)
    plain.train(summed, [0])
    assert_close(ends[1], plain.parameters)  # all shares are equal in the first step
    assert not torch.allclose(ends[0], ends[1])


class Point(nn.Module):
    """Two numbers that all tasks share."""

    def __init__(self) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.zeros(2, dtype=DOUBLE))


GOAL = torch.tensor([1.0, 2.0], dtype=DOUBLE)


def quadratic(
    trained: Sequence[float], wanted: Sequence[float], optimizer: str, **given: Any
) -> tuple[Float[Tensor, "2"], Float[Tensor, "2"]]:
    """Losses ‖θ − c GOAL‖², c by task as it is trained and as held-out samples say. Weights, and θ / GOAL."""
    model = Point()
    method = LearnedPriority(**given)
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    stepper = Stepper(
        method,
        optimizer=kind(model.parameters(), lr=0.02),
        shared=model,
        heads=[[], []],
        model=model,
        tasks=["clean", "other"],
        held_out=lambda: [(model.at - c * GOAL).square().sum() for c in wanted],
    )
    for _ in range(400):
        stepper.step(lambda: [(model.at - c * GOAL).square().sum() for c in trained])
    return 2 * method.logits.values((0, 1)).softmax(dim=0), model.at.detach() / GOAL


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_task_whose_training_labels_are_wrong_falls_to_nothing(optimizer: str) -> None:
    weights, reached = quadratic([1.0, -1.0], [1.0, 1.0], optimizer, lr=0.1)
    assert weights[1] < 0.02
    assert_close(reached, torch.ones(2, dtype=DOUBLE), rtol=0, atol=0.02)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_tasks_that_are_what_they_say_keep_their_weight(optimizer: str) -> None:
    weights, reached = quadratic([1.0, -1.0], [1.0, -1.0], optimizer)
    assert_close(weights, torch.ones(2))
    assert reached.abs().max() < 1e-6


def test_priorities_say_what_it_is_learned_for() -> None:
    weights, reached = quadratic([1.0, -1.0], [1.0, -1.0], "sgd", lr=0.1, priorities={"other": 0})
    assert weights[1] < 0.02
    assert reached.min() > 0.95


def spoiled(problem: Toy, change: str) -> None:
    """Both held-out batches."""
    draw = torch.Generator().manual_seed(5)
    batches: list[Batch] = [make_batch(draw, torch.float32, None) for _ in range(2)]
    for batch in batches:
        if change == "image":
            batch.image[0] = torch.nan
        if change == "target":
            batch.targets["depth"][0] = torch.inf
        if change == "labels":
            for name, target in batch.targets.items():
                batch.targets[name] = torch.full_like(target, torch.nan if name == "depth" else -1)
            batch.labelled = torch.zeros(12, 3, dtype=torch.bool).numpy()
    problem.machine.held_out = lambda number: batches[number % 2]


@pytest.mark.parametrize("change", ["image", "target", "labels"])
def test_held_out_samples_without_a_word_leave_the_step_as_it_is(change: str) -> None:
    """Not finite, or without any label: the batch is trained on, and nothing is learned of it."""
    sound, problem = toy("adam"), toy("adam")
    methods = [LearnedPriority() for _ in range(2)]
    for each, method in zip((sound, problem), methods, strict=True):
        method.setup(each.context)
        each.train(method, [0, 1, 2])
    before = [scalar.clone() for scalar in methods[1].logits.scalars]
    spoiled(problem, change)
    for each, method in zip((sound, problem), methods, strict=True):
        each.train(method, [3])
    assert torch.equal(problem.parameters, sound.parameters)
    assert all(torch.equal(a, b) for a, b in zip(methods[1].logits.scalars, before, strict=True))
    assert not torch.equal(methods[0].logits.values((0, 1, 2)), torch.stack(before))
    assert problem.machine.ledger.failures.totals.tolist() == [0, 0]


def test_held_out_samples_may_have_labels_of_other_tasks() -> None:
    """Training without task 2, judged by task 2 alone."""
    problem, method = toy(dtype=DOUBLE, absent=2), LearnedPriority()
    method.setup(problem.context)
    batch = make_batch(torch.Generator().manual_seed(5), DOUBLE, None)
    for name in ("shape", "depth"):
        batch.targets[name] = torch.full_like(batch.targets[name], torch.nan if name == "depth" else -1)
    table = torch.zeros(12, 3, dtype=torch.bool)
    table[:, 2] = True
    batch.labelled = table.numpy()
    problem.machine.held_out = lambda number: batch
    problem.train(method, [1])
    moved = [scalar.item() != 0 for scalar in method.logits.scalars]
    assert moved == [True, True, False]


def test_what_it_refuses() -> None:
    with pytest.raises(BenchError, match=r"there are none: choose a protocol with protocol.training.val=held_out"):
        LearnedPriority().setup(context(held_out=False))
    with pytest.raises(BenchError, match="positive and finite"):
        LearnedPriority(lr=0.0).setup(context())
    with pytest.raises(BenchError, match="requires"):
        LearnedPriority().setup(context(frozen=True))
