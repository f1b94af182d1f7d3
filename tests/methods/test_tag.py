"""TAG: affinities against closed forms and brute force, and lookaheads that leave nothing behind."""

import copy
import io
from typing import Any

import pytest
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor, nn
from torch.testing import assert_close

from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.tag import TAG, rank_correlation
from mtl_bench.methods.uw import UncertaintyWeighting
from mtl_bench.models import MLP
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.tasks import Classification, Regression, Task
from mtl_bench.training.machine import Machine
from tests.methods.toys import CPU, INPUT, Toy, context, make_batch, toy
from tests.step.toys import (
    MODELS,
    adam,
    autograd_rows,
    differing,
    everything,
    make_context,
    make_machine,
    make_step,
    sgd,
)
from tests.step.toys import make_batch as other_batch

CENTRES = torch.tensor([[1.0, 0.2], [-1.0, 0.4], [0.8, -0.5]], dtype=torch.float64)


class Shift(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(2))

    def forward(self, point: Tensor) -> Tensor:
        return point + self.shift


class Quadratics(MultiTaskModel):
    """L_j = ½ ‖θ + φ_j − c_j‖² with mean squared errors of two values."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(2))
        self.heads = nn.ModuleDict({name: Shift() for name in "abc"})

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        return [self.theta.expand(len(image), 2)]


def machine_of(model: MultiTaskModel, tasks: dict[str, Task], lr: float, momentum: float = 0.0) -> Machine:
    return Machine(
        model=model,
        tasks=tasks,
        optimizer=torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, fused=True),
        generator=torch.Generator().manual_seed(2),
        device_generator=torch.Generator().manual_seed(3),
        device=CPU,
    )


def quadratics(lr: float = 0.1, momentum: float = 0.0, centres: Tensor = CENTRES) -> Toy:
    tasks: dict[str, Task] = {name: Regression(2, "mse") for name in "abc"}
    targets = {name: centre.expand(4, 2) for name, centre in zip("abc", centres, strict=True)}
    batch = Batch(torch.zeros(4, 1, 1, 1, dtype=torch.float64), targets, None)
    return Toy(machine_of(Quadratics().double(), tasks, lr, momentum), [batch], context("abc"))


def measuring(problem: Toy, batches: int = 1, **options: Any) -> TAG:
    method = TAG(**{"period": 1, "lookahead": "sgd", "divide_by_lr": False, **options})
    method.setup(problem.context)
    problem.train(method, range(batches))
    return method


def found(method: TAG, name: str = "affinity") -> Float[Tensor, "K K"]:
    rows = [[torch.nan if value is None else value for value in row] for row in method.findings()[name]]
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("lr", [0.01, 0.3])
@pytest.mark.parametrize(
    ("lookahead", "momentum"), [("sgd", 0.0), ("sgd", 0.9), ("optimizer", 0.0), ("optimizer", 0.9)]
)
def test_quadratics_have_a_closed_form(lookahead: str, momentum: float, lr: float) -> None:
    """Over four batches, with every parameter followed on paper: θ and the shifts move, lookaheads move θ alone."""
    method = measuring(quadratics(lr, momentum), 4, lookahead=lookahead)
    theta, shifts = torch.zeros(2, dtype=torch.float64), torch.zeros(3, 2, dtype=torch.float64)
    velocity, velocities, total = torch.zeros_like(theta), torch.zeros_like(shifts), torch.zeros(3, 3).double()
    for _ in range(4):
        residual = theta + shifts - CENTRES  # [task, 2], and the gradient of ½ ‖·‖²
        carried = momentum * velocity if lookahead == "optimizer" else 0.0
        for i in range(3):
            for j in range(3):
                after = residual[j] - lr * (carried + residual[i])
                total[i, j] += 1 - after @ after / (residual[j] @ residual[j])
        velocity, velocities = momentum * velocity + residual.sum(dim=0), momentum * velocities + residual
        theta, shifts = theta - lr * velocity, shifts - lr * velocities
    assert_close(found(method), total / 4, rtol=0, atol=1e-6)
    assert method.findings()["epoch_affinity"] == []  # no epoch has ended


def test_rows_are_sources_and_positive_means_help() -> None:
    affinity = found(measuring(quadratics()))
    assert affinity[0, 2] > 0 > affinity[0, 1]
    assert (affinity.diagonal() > 0).all()
    far = CENTRES * torch.tensor([[10.0], [1.0], [1.0]])  # its step is ten times as long, and hurts task 1 more
    longer = found(measuring(quadratics(centres=far)))
    assert longer[0, 1] < 5 * affinity[0, 1]
    assert longer[1, 0] > affinity[1, 0]  # that of task 1 hardly matters to it
    assert_close(longer[1:, 1:], affinity[1:, 1:])


@pytest.mark.parametrize("model", MODELS)
def test_equals_brute_force_on_every_kind_of_model(model: type[MultiTaskModel]) -> None:
    """Norms and dropout in evaluation mode, so that two copies of the model can be compared."""
    machine, batch = make_machine(model, sgd), other_batch()
    machine.model.eval()
    method = TAG(period=1, lookahead="sgd", divide_by_lr=False)
    method.setup(make_context(machine))
    before = make_step(machine, batch).losses(grad=False).values
    rows, expected = autograd_rows(machine, batch), []
    for row in rows:
        other = make_machine(model, sgd)
        other.model.eval()
        for name, p in other.shared.items():
            p.data.sub_(row[name] if name in row else torch.zeros_like(p), alpha=0.1)
        expected.append(1 - make_step(other, batch).losses(grad=False).values / before)
    method.update(make_step(machine, batch))
    assert_close(found(method), torch.stack(expected), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("lookahead", ["sgd", "optimizer"])
@pytest.mark.parametrize("optimizer", [adam, sgd])
@pytest.mark.parametrize("model", MODELS)
def test_measuring_leaves_everything_bit_identical(model: type[MultiTaskModel], optimizer: Any, lookahead: str) -> None:
    machine = make_machine(model, optimizer, clip_norm=0.5)
    method = TAG(period=1, lookahead=lookahead, measure="all")  # type: ignore[arg-type]
    method.setup(make_context(machine))
    for seed in range(2):  # optimizer state empty, and filled
        step = make_step(machine, other_batch(seed))
        gradients = step.gradients(step.losses())
        before = everything(machine)
        method._measure(gradients, step)
        assert not differing(before, everything(machine))
        gradients.combine(torch.ones(3))
        step.apply()
    assert (method.total[1] == 2).all()
    assert machine.ledger.counts.optimizer_steps == 2
    assert machine.ledger.failures.totals.tolist() == [0, 0]


@pytest.mark.parametrize("optimizer", [adam, sgd])
@pytest.mark.parametrize("model", MODELS)
def test_training_does_not_feel_the_lookaheads(model: type[MultiTaskModel], optimizer: Any) -> None:
    """Bit for bit, against the same rows without lookaheads: norms, dropout and random streams included."""
    ends = []
    for measure in ("all", "first_order"):
        machine = make_machine(model, optimizer)
        method = TAG(period=2, measure=measure)  # type: ignore[arg-type]
        method.setup(make_context(machine))
        for seed in range(6):
            method.update(make_step(machine, other_batch(seed)))
        ends.append(everything(machine))
    assert not differing(*ends)


@pytest.mark.parametrize("model", MODELS)
def test_trains_like_the_sum_of_losses(model: type[MultiTaskModel]) -> None:
    """Other batches bit for bit; measured ones up to the order of additions, with the same random streams."""
    for first, exact in ((0, False), (1, True)):
        ends = []
        for method in (TAG(period=7), LinearScalarization()):
            machine = make_machine(model, sgd)
            method.setup(make_context(machine))
            if isinstance(method, TAG):
                method.batches = first
            for seed in range(6):
                method.update(make_step(machine, other_batch(seed)))
            ends.append(everything(machine))
        assert not exact or not differing(*ends)
        assert torch.equal(ends[0]["random"], ends[1]["random"])
        for name, value in ends[0].items():
            if isinstance(value, Tensor):
                assert_close(value, ends[1][name], rtol=1e-9, atol=1e-11)


def six_tasks() -> Toy:
    draw = torch.Generator().manual_seed(0)
    tasks: dict[str, Task] = {f"depth{k}": Regression(2, "mse") for k in range(3)}
    tasks |= {f"shape{k}": Classification(4) for k in range(3)}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = MLP({name: task.outputs for name, task in tasks.items()}, INPUT, (16, 16)).double()
    batches = []
    for _ in range(4):
        image = torch.rand(24, *INPUT, generator=draw, dtype=torch.float64)
        targets: dict[str, Tensor] = {f"depth{k}": torch.randn(24, 2, generator=draw).double() for k in range(3)}
        targets |= {f"shape{k}": torch.randint(4, (24,), generator=draw) for k in range(3)}
        batches.append(Batch(image, targets, None))
    return Toy(machine_of(model, tasks, lr=0.02), batches, context(tuple(tasks)))


def test_the_first_order_form_ranks_pairs_as_lookaheads_do() -> None:
    method = measuring(six_tasks(), batches=8)
    exact, estimate, off = found(method), found(method, "first_order"), ~torch.eye(6, dtype=torch.bool)
    rank = method.findings()["rank_correlation"]
    assert rank >= 0.98
    assert rank == pytest.approx(stats.spearmanr(exact[off], estimate[off]).statistic)
    assert_close(exact[off], estimate[off], rtol=0.2, atol=2e-4)
    assert not torch.equal(exact, estimate)


def test_the_first_order_form_is_the_limit_of_small_steps() -> None:
    errors = []
    for lr in (1e-2, 1e-3):
        method = measuring(quadratics(lr), divide_by_lr=True)
        errors.append((found(method) - found(method, "first_order")).abs().max().item())
    assert errors[1] == pytest.approx(errors[0] / 10, rel=0.01)  # what is left is of second order


def test_cosines_and_first_order_equal_brute_force() -> None:
    problem = toy(dtype=torch.float64)
    rows = problem.task_gradients(0)
    losses = problem.step(0).losses(grad=False).values
    method = measuring(problem, measure="all")
    assert_close(found(method, "first_order"), 0.1 * (rows @ rows.T) / losses, rtol=1e-9, atol=1e-12)
    chosen = torch.cat([torch.full((p.numel(),), p.dim() > 1) for p in problem.machine.shared.values()])
    assert 0 < chosen.sum() < len(chosen)
    unit = nn.functional.normalize(rows[:, chosen], dim=1)
    assert_close(found(method, "cosine"), unit @ unit.T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("measure", "names"),
    [
        ("lookahead", {"affinity", "epoch_affinity"}),
        ("first_order", {"first_order"}),
        ("cosine", {"cosine"}),
        ("both", {"affinity", "epoch_affinity", "first_order", "rank_correlation"}),
        ("all", {"affinity", "epoch_affinity", "first_order", "rank_correlation", "cosine"}),
    ],
)
@pytest.mark.parametrize("paths", [False, True])
def test_what_is_measured_and_what_it_costs(measure: str, names: set[str], paths: bool) -> None:
    problem = toy("adam", task_norm=paths)
    method = measuring(problem, measure=measure, lookahead="optimizer")
    assert set(method.findings()) == names
    counts, looks = problem.machine.ledger.counts, "affinity" in names
    forwards = (3 + 9 * looks) if paths else (1 + 3 * looks)
    assert (counts.forwards, counts.backwards, counts.passes) == (forwards, 3, forwards + 3)
    assert counts.optimizer_steps == 1


def test_the_order_of_calls_and_the_period() -> None:
    problem, method = toy(), TAG()
    method.setup(problem.context)
    for batch in range(23):
        step = problem.step(batch)
        method.update(step)
        look = ["apply", "losses without grad"]
        measured = ["losses", "gradients at shared", *look * 3, "apply"]
        assert step.calls.names == (measured if batch % 10 == 0 else ["losses", "backward", "apply"])
    assert (method.total[1] == 3).all()


def test_division_by_the_rate_undoes_its_decay() -> None:
    plain, divided = (
        measuring(toy(dtype=torch.float64), divide_by_lr=divide, measure="all") for divide in (False, True)
    )
    for name in ("affinity", "first_order"):
        assert_close(found(divided, name), found(plain, name) / 0.1)
    assert torch.equal(found(divided, "cosine"), found(plain, "cosine"))
    halved = toy(dtype=torch.float64)
    halved.machine.mover.optimizer.param_groups[0]["lr"] = 0.05
    assert_close(found(measuring(halved, divide_by_lr=True), "first_order"), found(divided, "first_order"))


def test_a_rate_of_zero_measures_nothing() -> None:
    problem = toy()
    problem.machine.mover.optimizer.param_groups[0]["lr"] = 0.0
    method = measuring(problem, divide_by_lr=True)
    assert method.findings()["affinity"] == [[None] * 3] * 3
    assert method.findings()["rank_correlation"] is None


def test_period_one_and_ten_agree_on_a_stationary_problem() -> None:
    """New batches, and a rate at which the parameters stay where they are."""
    draw, problem = torch.Generator().manual_seed(5), toy(dtype=torch.float64)
    problem.machine.mover.optimizer.param_groups[0]["lr"] = 1e-6
    batches = [make_batch(draw, torch.float64, None) for _ in range(300)]
    problem.batches = batches
    values, before = [], 0.0
    every, tenth = (
        measuring(problem, batches=0, divide_by_lr=True),
        measuring(problem, batches=0, period=10, divide_by_lr=True),
    )
    for batch in range(300):
        every.update(problem.step(batch))
        tenth.update(problem.step(batch))
        values.append(every.total[0, 0] - before)
        before = every.total[0, 0]
    spread = torch.stack(values).std(dim=0) / 30**0.5
    assert (every.total[1] == 300).all()
    assert (tenth.total[1] == 30).all()
    assert ((found(every) - found(tenth)).abs() < 4 * spread).all()
    assert (spread > 0).all()


def test_absent_tasks_leave_no_trace() -> None:
    problem = toy(absent=1)
    method = measuring(problem, batches=4)
    counts = torch.tensor([[4, 2, 4], [2, 2, 2], [4, 2, 4]])
    assert torch.equal(method.total[1], counts.expand(2, 3, 3).double())
    never = toy(absent=1)
    never.batches = never.batches[1::2]
    affinity = measuring(never, batches=2).findings()["affinity"]
    assert [[value is None for value in row] for row in affinity] == [
        [False, True, False],
        [True] * 3,
        [False, True, False],
    ]
    here = measuring(toy(absent=1))  # the two tasks are measured as if there were no third
    assert found(here)[0, 2] != found(measuring(never))[0, 2]


def test_bad_batches_and_bad_pairs_are_skipped() -> None:
    problem = toy()
    problem.batches[1].targets["depth"][0] = torch.inf
    problem.batches[2].image[0] = torch.nan
    method = measuring(problem, batches=3)
    assert (method.total[1] == 1).all()
    solved = CENTRES * torch.tensor([[1.0], [0.0], [1.0]])  # the loss of task b is 0
    affinity = found(measuring(quadratics(centres=solved)))
    assert affinity[:, 1].isnan().all()
    assert torch.equal(affinity[1, [0, 2]], torch.zeros(2).double())
    assert (affinity.diagonal()[[0, 2]] > 0).all()


def test_weights_act_on_training_and_not_on_affinities() -> None:
    fixed = {"shape": 0.5, "depth": 3.0, "colour": 1.0}
    plain, weighted = toy(dtype=torch.float64), toy(dtype=torch.float64)
    one = measuring(plain)
    other = measuring(weighted, weighting=LinearScalarization(fixed=fixed))
    assert torch.equal(found(one), found(other))
    static = toy(dtype=torch.float64)
    static.context = context(static_weights=fixed)
    measuring(static)
    reference, method = toy(dtype=torch.float64), LinearScalarization(fixed=fixed)
    method.setup(reference.context)
    reference.train(method, range(1))
    assert_close(weighted.parameters, reference.parameters, rtol=1e-12, atol=1e-14)
    assert torch.equal(static.parameters, weighted.parameters)
    assert not torch.allclose(plain.parameters, weighted.parameters)
    assert weighted.machine.ledger.weights.keys() == {0, 1, 2}


def test_under_a_weighting_with_state() -> None:
    problem, reference = toy(dtype=torch.float64), toy(dtype=torch.float64)
    method, alone = measuring(problem, 8, period=3, weighting=UncertaintyWeighting()), UncertaintyWeighting()
    alone.setup(reference.context)
    reference.train(alone, range(8))
    assert_close(problem.parameters, reference.parameters, rtol=1e-6, atol=1e-7)
    assert method.active_weighting is method.weighting


def test_epochs_and_a_saved_state() -> None:
    whole, stopped = toy("adam"), toy("adam")
    methods = [measuring(problem, batches=0, lookahead="optimizer") for problem in (whole, stopped)]
    means = torch.ones(3, dtype=torch.float64)
    whole.train(methods[0], range(4))
    methods[0].end_epoch(means)
    first = methods[0].findings()
    assert first["affinity"] == first["epoch_affinity"]
    whole.train(methods[0], range(6))  # in the middle of an epoch
    buffer = io.BytesIO()
    torch.save(methods[0].state_dict(), buffer)
    buffer.seek(0)
    methods[1].load_state_dict(torch.load(buffer, weights_only=True))
    assert methods[1].findings() == methods[0].findings()
    stopped.machine.model.load_state_dict(whole.machine.model.state_dict())
    stopped.machine.mover.optimizer.load_state_dict(copy.deepcopy(whole.machine.mover.optimizer.state_dict()))
    for problem, method in zip((whole, stopped), methods, strict=True):
        problem.train(method, range(2))
        method.end_epoch(means)
    last = methods[0].findings()
    assert methods[1].findings() == last
    both = (4 * torch.tensor(first["affinity"]) + 8 * torch.tensor(last["epoch_affinity"])) / 12
    assert_close(both, torch.tensor(last["affinity"]))
    methods[0].end_epoch(means)  # an epoch without a measured batch
    assert methods[0].findings()["epoch_affinity"] == [[None] * 3] * 3


def test_rank_correlation_looks_off_the_diagonal_at_known_pairs() -> None:
    one = torch.tensor([[9.0, 1.0, 2.0], [3.0, -9.0, torch.nan], [5.0, 6.0, 0.0]]).double()
    assert rank_correlation(one, one.exp()) == pytest.approx(1.0)
    other = torch.where(torch.eye(3, dtype=torch.bool), one, -one)
    assert rank_correlation(one, other) == pytest.approx(-1.0)
    assert rank_correlation(one, torch.ones(3, 3).double()) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lookahead": "adam"}, r"method\.lookahead is one of sgd, optimizer; got 'adam'\."),
        ({"measure": "exact"}, r"method\.measure is one of lookahead, first_order, cosine, both, all; got 'exact'\."),
        ({"period": 0}, r"method\.period counts batches, 1 or more; got 0\."),
        ({"period": True}, r"method\.period must be a whole number, got True\."),
        ({"period": 2.5}, r"method\.period must be a whole number, got 2\.5\."),
        ({"weighting": LinearScalarization(scale_heads=False)}, r"not inside another method\."),
    ],
)
def test_bad_options_say_so(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        TAG(**options).setup(context())


def test_cosines_need_a_matrix() -> None:
    with pytest.raises(BenchError, match=r"shares nothing else; choose measure=both\."):
        measuring(quadratics(), measure="cosine")
    measuring(quadratics(), measure="both")
