"""STGU on the toy problem: visits, warm-up, what enters the affinity, and its closed form on quadratics."""

from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods import Method
from mtl_bench.methods.interface import TaskLosses
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.stgu import STGU
from tests.methods.toys import Toy, context, toy

CENTRES = np.array([[1.0, 0.0], [0.9, 0.3], [-0.5, 1.0]])
LR = 0.05


def prepared(method: Method, **changes: Any) -> Toy:
    problem = toy("sgd", torch.float64, **changes)
    method.setup(problem.context)
    return problem


class Quadratics:
    """A step of L_j = ½ ‖θ − c_j‖² + 1, plain gradient descent; θ starts anew with every batch."""

    tasks: tuple[int, ...] = (0, 1, 2)
    epoch = 0

    def __init__(self, start: Float[np.ndarray, "2"], generator: torch.Generator) -> None:
        self.theta, self.generator = start.copy(), generator
        self.gradient = np.zeros(2)
        self.visited: list[list[int]] = []

    def losses(self, tasks: None = None, *, grad: Any = True) -> TaskLosses:
        if grad is not False:
            self.visited.append(list(grad))
        return TaskLosses(self.tasks, torch.from_numpy(loss(self.theta)[list(self.tasks)]))

    def backward(self, losses: TaskLosses, weights: Tensor) -> None:
        self.gradient = sum(float(weights[j]) * (self.theta - CENTRES[j]) for j in self.visited[-1])

    def apply(self, stale: list[int]) -> None:
        self.theta = self.theta - LR * self.gradient


def loss(theta: Float[np.ndarray, "2"]) -> Float[np.ndarray, "3"]:
    return 0.5 * ((theta - CENTRES) ** 2).sum(axis=1) + 1


@pytest.mark.parametrize("attribution", ["released", "previous", "full"])
def test_quadratics_have_a_closed_form(attribution: str) -> None:
    """One batch after another from the same θ, decay 1: the last credit of every pair, computed by hand.

    A step on task i multiplies the distance to c_i by 1 − lr: θ' = c_i + (1 − lr)(θ − c_i).
    """
    method = STGU(attribution=attribution, decay=1.0, warmup=1000)  # type: ignore[arg-type]
    method.setup(context(tasks=("a", "b", "c")))
    generator = torch.Generator().manual_seed(0)
    expected = np.zeros((3, 3))
    for batch in range(30):
        start = np.array([0.3, -0.2]) + 0.01 * batch
        step = Quadratics(start, generator)
        method.update(step)  # type: ignore[arg-type]
        order = [group[0] for group in step.visited]
        assert sorted(order) == [0, 1, 2]
        thetas = [start]
        for task in order:
            thetas.append(CENTRES[task] + (1 - LR) * (thetas[-1] - CENTRES[task]))
        measured = 3 if attribution == "full" else 2
        for n in range(measured):
            change = 1 - loss(thetas[n + 1]) / loss(thetas[n])
            source = order[n + 1] if attribution == "released" else order[n]
            for target in range(3):
                if target != source or change[target] >= 0:
                    expected[source, target] = change[target]
    np.testing.assert_allclose(method.tracker.matrix, expected, atol=1e-6, rtol=0)
    np.testing.assert_allclose(method.tracker.matrix, expected, atol=1e-12, rtol=0)


def test_the_average_is_the_mean_of_proximal_affinity_or_its_shift() -> None:
    """Two groups from noisy θ: under `previous` A[i] is the mean effect of i's step, under `released` of the other's.

    A step of i is seen in the batches that visit i first. The moving average has a memory of 1/decay batches, so four
    of its standard deviations, √(decay / 2) times that of one effect, are allowed.
    """
    draw, decay, batches = np.random.default_rng(0), 0.002, 6000
    starts = np.array([0.3, -0.2]) + 0.05 * draw.standard_normal((batches, 2))
    moved = [CENTRES[task] + (1 - LR) * (starts - CENTRES[task]) for task in (0, 1)]
    effects = [1 - np.array([loss(m) for m in moved[task]]) / np.array([loss(s) for s in starts]) for task in (0, 1)]
    for attribution in ("previous", "released"):
        method = STGU(attribution=attribution, decay=decay, warmup=10**6)  # type: ignore[arg-type]
        method.setup(context(tasks=("a", "b", "c")))
        generator = torch.Generator().manual_seed(1)
        for start in starts:
            step = Quadratics(start, generator)
            step.tasks = (0, 1)
            method.update(step)  # type: ignore[arg-type]
        for row in (0, 1):
            cause = row if attribution == "previous" else 1 - row
            spread = 4 * effects[cause][:, :2].std(axis=0) * (decay / 2) ** 0.5
            gap = np.abs(method.tracker.matrix[row, :2] - effects[cause][:, :2].mean(axis=0))
            assert (gap <= spread).all(), (attribution, row, gap, spread)
    apart = np.abs(effects[0] - effects[1])[:, :2].mean(axis=0)
    assert (apart > 2 * spread).all(), "the two attributions must differ by more than the noise"


@pytest.mark.parametrize("warmup", [0, 2])
def test_the_warm_up_visits_single_tasks(warmup: int) -> None:
    method = STGU(warmup=warmup, decay=0.5)
    method.setup(context(tasks=("a", "b", "c")))
    method.tracker.matrix = np.ones((3, 3))  # one group for all, once it may
    sizes = []
    for _ in range(warmup + 3):
        step = Quadratics(np.zeros(2), torch.Generator().manual_seed(0))
        method.update(step)  # type: ignore[arg-type]
        sizes.append([len(group) for group in step.visited])
        method.tracker.matrix = np.ones((3, 3))
    assert sizes == [[1, 1, 1]] * (warmup + 1) + [[3, 3]] * 2  # one group is visited twice


@pytest.mark.parametrize("revisit", [True, False])
def test_one_group_is_the_summed_loss(revisit: bool) -> None:
    method = STGU(warmup=0, every=1000, revisit=revisit)
    problem = prepared(method)
    method.batches, method.partition = 1, [[0, 1, 2]]  # and a matrix of zeros, which groups nothing anew
    problem.train(method, [0, 1])
    plain = LinearScalarization()
    other = prepared(plain)
    other.train(plain, [0, 0, 1, 1] if revisit else [0, 1])
    torch.testing.assert_close(problem.parameters, other.parameters, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("revisit", [True, False])
def test_one_task_is_plain_training_visited_twice_or_once(revisit: bool) -> None:
    ends = []
    for method, batches in ((STGU(warmup=0, revisit=revisit), [0, 1]), (LinearScalarization(), [0, 0, 1, 1])):
        problem = toy("sgd", torch.float64)
        method.setup(context(tasks=("shape",)))
        for batch in batches if revisit or isinstance(method, STGU) else [0, 1]:
            step = problem.step(batch)
            step.tasks = (0,)
            method.update(step)
        ends.append(problem.parameters)
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-14)


def test_the_preference_is_affinity_propagations() -> None:
    sizes = {}
    for preference in (None, -10.0):
        method = STGU(warmup=0, preference=preference)
        method.setup(context(tasks=("a", "b", "c")))
        method.batches, method.tracker.matrix = 1, np.array([[1, 0.8, 0.1], [0.8, 1, 0.1], [0.1, 0.1, 1]])
        method.update(Quadratics(np.zeros(2), torch.Generator().manual_seed(0)))  # type: ignore[arg-type]
        sizes[preference] = method.partition
    assert sizes == {None: [[0, 1], [2]], -10.0: [[0, 1, 2]]}


def test_a_visit_with_a_loss_that_is_not_finite_is_compared_with_nothing() -> None:
    """The step on it is skipped, so the next visit's losses tell nothing about it."""

    class Broken(Quadratics):
        def losses(self, tasks: None = None, *, grad: Any = True) -> TaskLosses:
            found = super().losses(tasks, grad=grad)
            return TaskLosses(found.tasks, found.values * torch.nan) if len(self.visited) == 2 else found

    method = STGU(attribution="previous", decay=1.0)
    method.setup(context(tasks=("a", "b", "c")))
    method.update(Broken(np.array([0.3, -0.2]), torch.Generator().manual_seed(0)))  # type: ignore[arg-type]
    assert not method.tracker.matrix.any()


def test_groups_step_in_turn_with_their_own_losses() -> None:
    method, norm = STGU(warmup=0), STGU(warmup=0, group_norm=True)
    for each, factor in ((method, 1.0), (norm, 0.5)):
        problem, plain = prepared(each), prepared(LinearScalarization())
        each.batches, each.partition = 1, [[0, 2], [1]]
        step = problem.step(0)
        order: list[list[int]] = []
        taken = step.losses
        step.losses = lambda grad, taken=taken, order=order: order.append(grad) or taken(grad=grad)  # type: ignore
        each.update(step)
        assert sorted(order) == [[0, 2], [1]]
        for group in order:
            again = plain.step(0)
            weights = torch.full((3,), factor if len(group) == 2 else 1.0, dtype=torch.float64)
            again.backward(again.losses(grad=group), weights)
            again.apply()
        torch.testing.assert_close(problem.parameters, plain.parameters, rtol=1e-12, atol=1e-14)


def test_absent_tasks_leave_no_trace_in_the_affinity() -> None:
    method = STGU(warmup=0, decay=0.5)
    problem = prepared(method, absent=1)
    problem.train(method, [1, 3] * 4)
    assert not method.tracker.matrix[1].any()
    assert not method.tracker.matrix[:, 1].any()
    assert method.tracker.matrix[0].any()


def test_a_lone_task_of_a_batch_is_visited_once() -> None:
    """Twice is for a partition of one group, not for what absent tasks leave of another."""
    method = STGU(warmup=5)
    method.setup(context(tasks=("a", "b", "c")))
    step = Quadratics(np.zeros(2), torch.Generator().manual_seed(0))
    step.tasks = (0,)
    method.update(step)  # type: ignore[arg-type]
    assert step.visited == [[0]]


@pytest.mark.parametrize("stale", [False, True])
def test_stale_heads_go_on_by_their_momentum(stale: bool) -> None:
    problem = toy("adam", torch.float64)
    method = STGU(warmup=10, stale_heads=stale)
    method.setup(problem.context)
    problem.train(method, [0])  # every head has momentum now
    heads = {k: parameters[0] for k, parameters in problem.machine.owned.items()}
    moved: list[set[int]] = []
    step = problem.step(1)
    apply = step.apply

    def watched(stale: list[int]) -> None:
        before = {k: head.detach().clone() for k, head in heads.items()}
        apply(stale=stale)
        moved.append({k for k, head in heads.items() if not torch.equal(head, before[k])})

    step.apply = watched  # type: ignore[method-assign, assignment]
    method.update(step)
    assert sorted(map(sorted, moved)) == ([[0, 1, 2]] * 3 if stale else [[0], [1], [2]])


def test_stale_heads_change_no_shared_gradient() -> None:
    ends = []
    for stale in (False, True):
        problem = toy("sgd", torch.float64)  # no momentum: a gradient of zero moves nothing
        method = STGU(warmup=2, stale_heads=stale)
        method.setup(problem.context)
        problem.train(method, range(8))
        ends.append(problem.parameters)
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-14)


def test_findings_tell_groups_and_how_often_tasks_met() -> None:
    method = STGU(warmup=0)
    problem = prepared(method)
    problem.train(method, [0])
    method.partition = [[0, 2], [1]]
    problem.train(method, [1])
    method.end_epoch(torch.ones(3))
    found = method.findings()
    assert found["groups"] == [["shape", "colour"], ["depth"]]
    assert found["mean_groups"] == 2.5
    assert found["together"] == [[1.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.5, 0.0, 1.0]]
    assert np.array(found["affinity"]).shape == (3, 3)


@pytest.mark.parametrize("every", [1, 3])
def test_groups_are_made_anew_every_so_often(every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    method = STGU(warmup=1, every=every)
    problem = prepared(method)
    monkeypatch.setattr("mtl_bench.methods.stgu.affinity_groups", lambda *_: made.append(method.batches - 1))
    problem.train(method, range(8))
    assert made == list(range(2, 8, every))


@pytest.mark.parametrize(
    "option", [{"decay": 0.0}, {"decay": 1.5}, {"warmup": -1}, {"every": 0}, {"attribution": "next"}]
)
def test_options_that_it_refuses(option: dict[str, Any]) -> None:
    with pytest.raises(BenchError, match=next(iter(option))):
        STGU(**option).setup(toy().context)
