"""FAMO against its text, by autograd on the published objective."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods import LinearScalarization
from mtl_bench.methods.famo import FAMO
from mtl_bench.methods.interface import TaskLosses
from tests.methods.toys import Toy, context, toy

ALL = (0, 1, 2)


class Reference:
    """Baseline text, steps 1 to 3: L = c Σ z_k log D_k, then Adam on one logit per task along Jᵀr, J = ∂z/∂ξ."""

    def __init__(self, minimum: float, lr: float, gamma: float, scale: float) -> None:
        self.logits = [torch.zeros((), requires_grad=True) for _ in ALL]
        self.adam = torch.optim.Adam(self.logits, lr=lr, weight_decay=gamma)
        self.minimum, self.scale = minimum, scale

    def update(self, problem: Toy, batch: int) -> None:
        machine = problem.machine
        z = torch.stack(self.logits).softmax(dim=0)
        before = self.losses(problem, batch) - self.minimum + 1e-8
        c = 1 / (z / before).sum().detach()
        (self.scale * c * (z.detach() * before.log()).sum()).backward()
        machine.mover.optimizer.step()
        machine.mover.optimizer.zero_grad()
        with torch.no_grad():
            after = self.losses(problem, batch) - self.minimum + 1e-8
        rate = before.detach().log() - after.log()
        for logit, gradient in zip(self.logits, torch.autograd.grad(z, self.logits, rate), strict=True):
            logit.grad = gradient
        self.adam.step()

    def losses(self, problem: Toy, batch: int) -> Float[Tensor, "k"]:
        model, given = problem.machine.model, problem.batches[batch % 4]
        features = model.encode(given.image)
        found = []
        for k, (name, task) in enumerate(problem.machine.tasks.items()):
            total, count = task.loss(model.decode(features, k), given.targets[name])
            found.append(total / count)
        return torch.stack(found)


@pytest.mark.parametrize("raw_scale", [False, True])
@pytest.mark.parametrize("minimum", [0.0, -0.2])
def test_equals_the_reference_over_thirty_batches(minimum: float, raw_scale: bool) -> None:
    problem, other = toy(), toy()
    method = FAMO(minimum=minimum, gamma=0.01, lr=0.05, raw_scale=raw_scale)
    method.setup(problem.context)
    reference = Reference(minimum, lr=0.05, gamma=0.01, scale=1.0 if raw_scale else 3.0)
    for batch in range(30):
        method.update(problem.step(batch))
        reference.update(other, batch)
    assert_close(method.logits.values(ALL), torch.stack(reference.logits).detach(), rtol=1e-3, atol=1e-4)
    assert_close(problem.parameters, other.parameters, rtol=1e-3, atol=1e-4)
    assert method.logits.values(ALL).abs().max() > 0.03


@pytest.mark.parametrize(("raw_scale", "total"), [(False, 3.0), (True, 1.0)])
def test_weights_and_order_of_one_batch(raw_scale: bool, total: float) -> None:
    problem, method = toy(), FAMO(raw_scale=raw_scale)
    method.setup(context())
    problem.train(method, range(3))
    step = problem.step(3)
    method.update(step)
    assert step.calls.names == ["losses", "backward", "apply", "losses without grad"]
    weights = step.calls.weights[0]
    assert weights is not None
    assert_close(weights.sum().item(), total)
    assert weights.argmax() == step.calls.values[0].argmin()  # ∝ z / D, and z has hardly moved


def test_the_second_forward_sees_the_same_batch_after_the_step() -> None:
    problem, method = toy(), FAMO()
    method.setup(context())
    step = problem.step(2)
    method.update(step)
    again = problem.step(2).losses(grad=False).values
    assert torch.equal(step.calls.values[1], again)
    assert not torch.equal(step.calls.values[0], again)
    assert problem.machine.ledger.counts.forwards == 3  # two of FAMO's, one of this test's
    assert problem.machine.ledger.counts.optimizer_steps == 1


def test_a_task_that_improves_faster_gets_less() -> None:
    method = FAMO(lr=0.1)
    method.setup(context())
    z = method.logits.values(ALL).softmax(dim=0)
    rate = torch.tensor([0.5, 0.0, -0.1])
    method.logits.descend(z * (rate - (z * rate).sum()), ALL)
    found = method.logits.values(ALL)
    assert found[0] < 0 < found[1]
    assert found[2] > 0


def test_an_absent_tasks_logit_stays() -> None:
    problem, method = toy(absent=1), FAMO()
    method.setup(context())
    for batch in range(6):
        before = method.logits.values(ALL)
        step = problem.step(batch)
        method.update(step)
        assert (method.logits.values(ALL) != before).tolist() == [True, batch % 2 == 0, True]
        assert step.calls.weights[0] is not None
        assert_close(step.calls.weights[0].sum().item(), float(len(step.tasks)))


def test_a_loss_below_its_minimum_is_skipped_and_counted() -> None:
    """1 / D would be finite: without care the step would climb that task's loss."""
    problem = toy()
    lowest = problem.step(0).losses(grad=False).values.sort().values
    method = FAMO(minimum=((lowest[0] + lowest[1]) / 2).item())
    method.setup(context())
    before = problem.parameters
    method.update(problem.step(0))
    assert torch.equal(problem.parameters, before)
    assert problem.machine.ledger.failures.totals[0] == 1
    assert torch.equal(method.logits.values(ALL), torch.zeros(3))


def test_minima_by_name() -> None:
    method = FAMO(minimum={"colour": 0.5, "shape": -2})
    method.setup(context())
    found = method.excess(TaskLosses((0, 2), torch.ones(2, dtype=torch.float64)))
    assert found.tolist() == pytest.approx([3, 0.5])
    with pytest.raises(BenchError, match=r"method\.minimum names color, but the tasks are shape, depth, colour"):
        FAMO(minimum={"color": 1}).setup(context())
    with pytest.raises(BenchError, match=r"method\.minimum is a number, or numbers by task name"):
        FAMO(minimum={"depth": "low"}).setup(context())  # type: ignore[dict-item]


def test_heads_may_learn_unweighted() -> None:
    """One batch under SGD: shared parameters move alike, heads by their own losses."""
    weighed, apart, plain = (toy("sgd", torch.float64) for _ in range(3))
    for problem, scale_heads in ((weighed, True), (apart, False)):
        method = FAMO(scale_heads=scale_heads)
        method.setup(problem.context)
        method.update(problem.step(0))
    other = LinearScalarization()
    other.setup(plain.context)
    other.update(plain.step(0))
    for name, shared in apart.machine.shared.items():
        assert_close(shared, weighed.machine.shared[name])
        assert not torch.allclose(shared, plain.machine.shared[name])
    for k in ALL:
        assert_close(apart.machine.owned[k], plain.machine.owned[k])
        assert not torch.allclose(apart.machine.owned[k][0], weighed.machine.owned[k][0])


def test_a_loss_of_zero_is_finite() -> None:
    method = FAMO()
    method.setup(context())
    assert method.excess(TaskLosses((0, 2), torch.zeros(2))).log().isfinite().all()


def test_logits_rest_where_the_step_was_skipped() -> None:
    problem, method = toy(), FAMO()
    method.setup(problem.context)
    problem.train(method, range(5))
    before = method.logits.values(ALL)
    hook = problem.machine.owned[1][0].register_hook(lambda gradient: gradient * torch.nan)
    method.update(problem.step(5))
    hook.remove()
    assert torch.equal(method.logits.values(ALL), before)


def test_small_changes_in_double_precision_count() -> None:
    method = FAMO()
    method.setup(context())
    above = method.excess(TaskLosses((0, 1), torch.tensor([1.0, 1.0 - 1e-9], dtype=torch.float64)))
    assert (above[0].log() - above[1].log()).item() == pytest.approx(1e-9, rel=1e-3)
