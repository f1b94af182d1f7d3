"""CSO: connection strength, projection on priority groups, and when which phase runs."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods import Method
from mtl_bench.methods.cso import CSO, connection_strength, project_onto_priority
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.pcgrad import PCGrad
from mtl_bench.methods.rlw import RandomLossWeighting
from mtl_bench.methods.uw import UncertaintyWeighting
from mtl_bench.models import DenseResNet
from tests.methods.toys import Toy, context, toy

SHAPES = [(2, 4, 3), (3, 6, 2, 3, 3), (5, 7, 4), (1, 3, 2)]  # K, channels, …


def prepared(method: Method) -> Toy:
    problem = toy("sgd", torch.float64, task_norm=True)
    method.setup(problem.context)
    return problem


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_the_paper(gradients: Tensor, priority: Tensor) -> tuple[Tensor, Tensor]:
    """Loops of spec 1.5, and the projected rows."""
    rows = gradients.clone().flatten(2)
    for i in range(len(rows)):
        group = priority == i
        reference = rows[i][group].flatten()
        for j in range(len(rows)):
            u = rows[j][group].flatten()
            inner = reference @ u
            if j != i and inner < 0:
                rows[j][group] = (u - inner / reference.square().sum() * reference).view_as(rows[j][group])
    return rows.sum(dim=0).view(gradients.shape[1:]), rows


def own_profile(problem: Toy) -> None:
    """Gains that make every task own some channels of the toy's hidden layer."""
    _, norms = problem.context.task_norms["encoder.1.weight"]
    with torch.no_grad():
        for k, norm in enumerate(norms):
            norm.weight.copy_(0.5 + torch.arange(8).roll(3 * k).to(norm.weight) / 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_projection_is_the_papers_loop(shape: tuple[int, ...]) -> None:
    for seed in range(20):
        gradients = draw(*shape, seed=seed)
        priority = torch.randint(0, shape[0], (shape[1],), generator=torch.Generator().manual_seed(seed))
        total, rows = by_the_paper(gradients, priority)
        torch.testing.assert_close(project_onto_priority(gradients, priority), total, rtol=1e-12, atol=1e-12)
        for i in range(shape[0]):
            assert (rows[:, priority == i].flatten(1) @ rows[i][priority == i].flatten() >= -1e-12).all()


def test_without_conflict_it_is_the_sum_bit_for_bit() -> None:
    gradients = draw(3, 6, 4).abs()
    priority = torch.tensor([0, 1, 2, 2, 1, 0])
    assert torch.equal(project_onto_priority(gradients, priority), gradients.sum(dim=0))


def test_a_zero_reference_conflicts_with_nothing() -> None:
    gradients = torch.stack([torch.zeros(2, 3), -torch.ones(2, 3)])
    assert torch.equal(project_onto_priority(gradients, torch.zeros(2, dtype=torch.long)), gradients.sum(dim=0))


def test_two_tasks_and_two_channels_by_hand() -> None:
    """Task 1 owns channel 1 (it conflicts there), task 2 owns channel 2 (it does not)."""
    weight = torch.tensor([[1.0, 1.0], [2.0, 0.0]])  # energies 2 and 4
    gamma = torch.tensor([[3.0, 1.0], [1.0, 2.0]])
    strength = connection_strength(weight, gamma, torch.ones(2, 2), eps=0.0)
    torch.testing.assert_close(strength, torch.tensor([[18 / 22, 4 / 22], [2 / 18, 16 / 18]]))
    priority = strength.argmax(dim=0)
    assert priority.tolist() == [0, 1]
    gradients = torch.tensor([[[1.0, 0.0], [1.0, 1.0]], [[-1.0, 2.0], [1.0, 0.0]]])
    torch.testing.assert_close(
        project_onto_priority(gradients, priority),
        torch.tensor([[1.0, 2.0], [2.0, 1.0]]),  # [1, 0] + [0, 2], and the plain sum
    )


def test_strength_is_equation_6_normalised() -> None:
    weight, gamma, variance = draw(4, 3, 3, 3), draw(2, 4, seed=1), draw(2, 4, seed=2).square()
    found = connection_strength(weight, gamma, variance)
    for i in range(2):
        plain = [
            float(gamma[i, p] ** 2 / (variance[i, p] + 1e-5) * sum((weight[p, q] ** 2).sum() / 9 for q in range(3)))
            for p in range(4)
        ]
        torch.testing.assert_close(found[i], torch.tensor(plain, dtype=torch.float64) / sum(plain))
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2, dtype=torch.float64))
    layer_norm = connection_strength(weight, gamma, None)
    torch.testing.assert_close(layer_norm, connection_strength(weight, gamma, torch.ones(2, 4), eps=0.0))


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e4])
def test_scaling_a_task_or_the_convolution_changes_no_priority(factor: float) -> None:
    weight, gamma, variance = draw(9, 3, 3, 3), draw(3, 9, seed=1), draw(3, 9, seed=2).square()
    before = connection_strength(weight, gamma, variance).argmax(dim=0)
    assert before.unique().numel() > 1
    gamma[1] *= factor
    assert torch.equal(connection_strength(weight * factor, gamma, variance).argmax(dim=0), before)


def test_a_task_without_strength_has_none() -> None:
    found = connection_strength(draw(3, 2), torch.tensor([[0.0] * 3, [1.0] * 3]), None)
    assert torch.equal(found[0], torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize("degenerate", ["sum", "project"])
def test_phase_2_of_a_fresh_network_is_the_summed_loss(degenerate: str) -> None:
    """Every task starts with the same profile, so one task owns all; only alg. 1 projects on it, where tasks clash."""
    same = []
    for batch in range(4):
        ends = []
        for method in (CSO(phase=2, linear=True, degenerate=degenerate), LinearScalarization()):  # type: ignore[arg-type]
            problem = prepared(method)
            problem.train(method, [batch])
            ends.append(problem.parameters)
        same.append(torch.allclose(*ends, rtol=1e-12, atol=1e-14))
    assert all(same) == (degenerate == "sum")


def test_phase_2_projects_each_layer_on_its_owners() -> None:
    method = CSO(phase=2, linear=True)
    problem = prepared(method)
    own_profile(problem)
    assert method.priority("encoder.1.weight", range(3)).unique().numel() == 3
    step = problem.step(0)
    rows = {name: row.clone() for name, row in step.gradients(step.losses()).layers()}
    before = {name: p.detach().clone() for name, p in problem.machine.shared.items()}
    problem.train(method, [0])
    gains = torch.stack([0.5 + torch.arange(8).roll(3 * k).double() / 4 for k in range(3)])
    owners = connection_strength(before["encoder.1.weight"], gains, None).argmax(dim=0)
    for name, row in rows.items():
        expected = by_the_paper(row, owners)[0] if name == "encoder.1.weight" else row.sum(dim=0)
        torch.testing.assert_close(problem.machine.shared[name].detach(), before[name] - 0.1 * expected)


def convolutions() -> Toy:
    """LeNet with BatchNorms per task whose statistics, like its gains, differ from task to task."""
    problem = toy("sgd", torch.float64, task_norm=True, convolution=True)
    for weight_name, (_, norms) in problem.context.task_norms.items():
        for k, norm in enumerate(norms):
            channels = len(norm.weight)
            norm.running_var.copy_(1 + draw(channels, seed=k + len(weight_name)).square())
            norm.running_mean.copy_(draw(channels, seed=k))
    return problem


def test_priority_of_a_convolution_reads_each_tasks_own_variance() -> None:
    method, problem = CSO(phase=2), convolutions()
    method.setup(problem.context)
    for name, (weight, norms) in problem.context.task_norms.items():
        variance = torch.stack([norm.running_var for norm in norms])
        gamma = torch.stack([norm.weight for norm in norms])
        owners = connection_strength(weight, gamma, variance).argmax(dim=0)
        assert torch.equal(method.priority(name, range(3)), owners)
        assert owners.unique().numel() == 3
        for wrong in (None, variance[:1].expand_as(variance)):  # without variances, or all of one task
            assert not torch.equal(connection_strength(weight, gamma, wrong).argmax(dim=0), owners)


@pytest.mark.parametrize("fixed", [None, {"shape": 0.5, "depth": 2.0, "colour": 3.0}])
def test_phase_2_on_convolutions_projects_the_weighted_rows(fixed: dict[str, float] | None) -> None:
    """A step by hand: rows of the weighted losses projected in convolutions, summed elsewhere, heads with their own."""
    weighting = None if fixed is None else LinearScalarization(fixed=fixed)
    method, problem = CSO(phase=2, weighting=weighting), convolutions()
    method.setup(problem.context)
    weights = [1.0, 1.0, 1.0] if fixed is None else list(fixed.values())
    owners = {name: method.priority(name, range(3)) for name in problem.context.task_norms}
    machine, step = problem.machine, problem.step(0)
    graph = step.losses().graph
    assert graph is not None
    names, parameters = zip(*machine.model.named_parameters(), strict=True)
    each = [
        torch.autograd.grad(w * graph.terms[k], parameters, retain_graph=True, materialize_grads=True)
        for k, w in enumerate(weights)
    ]
    expected = {}
    for name, parameter, *rows in zip(names, parameters, *each, strict=True):
        stacked = torch.stack(rows)
        direction = by_the_paper(stacked, owners[name])[0] if name in owners else stacked.sum(dim=0)
        expected[name] = parameter.detach() - 0.1 * direction
    assert any(name in owners for name in names)
    again = convolutions()
    method.setup(again.context)
    again.train(method, [0])
    for name, parameter in again.machine.model.named_parameters():
        torch.testing.assert_close(parameter.detach(), expected[name], rtol=1e-9, atol=1e-12)


def test_the_control_without_the_convolutions_energy() -> None:
    method, problem = CSO(phase=2, strength="bn"), convolutions()
    method.setup(problem.context)
    other = CSO(phase=2)
    other.setup(problem.context)
    differ = False
    for name, (weight, norms) in problem.context.task_norms.items():
        with torch.no_grad():
            weight[0] *= 1000  # one channel holds all energy: the others go by their gain relative to that one's
        gain = torch.stack([norm.weight.square() / (norm.running_var + 1e-5) for norm in norms])
        owners = (gain / gain.sum(dim=1, keepdim=True)).argmax(dim=0)
        assert torch.equal(method.priority(name, range(3)), owners)
        differ |= not torch.equal(other.priority(name, range(3)), owners)
        assert len(owners) == len(weight)
    assert differ


@pytest.mark.parametrize("weighting", [None, LinearScalarization(fixed={"shape": 0.5, "depth": 2.0, "colour": 3.0})])
def test_the_control_projection_is_a_step_of_pcgrad(weighting: LinearScalarization | None) -> None:
    ends = []
    for method in (CSO(phase=2, projection="pcgrad", weighting=weighting), PCGrad(weighting=weighting)):
        problem = convolutions()
        method.setup(problem.context)
        problem.train(method, range(4))
        ends.append(problem.parameters)
    assert torch.equal(*ends)


def test_the_control_projection_needs_no_norms_per_task() -> None:
    method = CSO(projection="pcgrad")
    method.setup(toy().context)
    assert method.findings()["priority"] == {}


def test_pairs_by_name_are_those_of_a_resnets_blocks() -> None:
    """Shortcuts, laterals and the smoothing layer are found by no name of a norm: 9 of 26 on rooms."""
    model = DenseResNet({"a": 4, "b": 1}, (3, 32, 32), width=4, pyramid=4, task_norm=True)
    norms = {name: (model.get_parameter(name), found) for name, found in model.task_norms().items()}
    told = context(tuple("ab"), task_norms=norms, per_task_path=True)
    kept = {}
    for pairs in ("all", "released"):
        method = CSO(pairs=pairs)  # type: ignore[arg-type]
        method.setup(told)
        kept[pairs] = set(method.findings()["priority"])
    assert (len(kept["all"]), len(kept["released"])) == (26, 17)
    left = {name.removesuffix(".weight") for name in kept["all"] - kept["released"]}
    assert all("downsample" in name or "laterals" in name or name.endswith("smooth") for name in left)
    with pytest.raises(BenchError, match=r"named convN.*method\.pairs=all"):
        CSO(linear=True, pairs="released").setup(toy(task_norm=True).context)


def test_layers_that_are_not_prioritised_are_summed() -> None:
    """With none of them phase 2 is the summed loss, with all of them it is not."""
    ends = []
    for method in (CSO(phase=2), CSO(phase=2), LinearScalarization()):
        problem = convolutions()
        method.setup(problem.context)
        if not ends:
            method.prioritised = []  # type: ignore[union-attr]
        problem.train(method, [0])
        ends.append(problem.parameters)
    torch.testing.assert_close(ends[0], ends[2], rtol=1e-12, atol=1e-14)
    assert not torch.allclose(ends[1], ends[2])


def test_phase_2_of_a_fresh_convolutional_network_is_the_summed_loss() -> None:
    ends = []
    for method in (CSO(phase=2), LinearScalarization()):
        problem = toy("sgd", torch.float64, task_norm=True, convolution=True)
        method.setup(problem.context)
        problem.train(method, [0])
        ends.append(problem.parameters)
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-14)


def test_phase_1_steps_task_after_task() -> None:
    method = CSO(phase=1)
    problem, plain = prepared(method), prepared(CSO(phase=1))
    problem.train(method, [0])
    for task in range(3):
        step = plain.step(0)
        step.backward(step.losses([task]), torch.ones(1))
        step.apply()
    assert torch.equal(problem.parameters, plain.parameters)


def test_one_task_is_plain_training_in_either_phase() -> None:
    ends = []
    for method in (CSO(phase=1), CSO(phase=2, linear=True), LinearScalarization()):
        problem = toy("sgd", torch.float64, task_norm=True)
        method.setup(problem.context)
        for batch in range(3):
            step = problem.step(batch)
            step.tasks = (1,)
            method.update(step)
        ends.append(problem.parameters)
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], rtol=1e-12, atol=1e-14)


def phases(method: CSO, epochs: int, batches: int) -> Float[Tensor, "epochs batches"]:
    """1 where a batch was of phase 1; the updates themselves are left out."""
    problem = prepared(method)
    found = []
    for epoch in range(epochs):
        for batch in range(batches):
            step = problem.step(batch)
            step.epoch, step.progress = epoch, (epoch + batch / batches) / epochs
            found.append(method._choose(step) == 1)
    return torch.tensor(found, dtype=torch.float64).view(epochs, batches)


def test_the_share_of_phase_1_falls_from_one_to_nothing() -> None:
    """E = 8 by the budget, whatever the nominal epochs say (4): shares 1 − e/E, in all 1/2 + 1/(2E). Four errors."""
    found = phases(CSO(linear=True), 8, 2000)
    expected = 1 - torch.arange(8, dtype=torch.float64) / 8
    assert found[0].all()
    assert ((found.mean(dim=1) - expected).abs() <= 4 * (expected * (1 - expected) / 2000).sqrt()).all()
    assert abs(found.mean() - (1 / 2 + 1 / 16)) < 0.02


def test_a_training_without_epochs_is_told_that_it_never_leaves_phase_1(caplog: pytest.LogCaptureFixture) -> None:
    for quiet in (phases(CSO(linear=True), 2, 10), phases(CSO(linear=True, phase="sequential"), 1, 10)):
        assert len(quiet)
    assert not caplog.records
    assert phases(CSO(linear=True), 1, 10).all()
    (record,) = caplog.records
    assert "call end_epoch() after each" in record.message


def test_phases_by_epoch_in_turn_and_alone() -> None:
    by_epoch = phases(CSO(linear=True, granularity="epoch"), 4, 50)
    assert torch.equal(by_epoch, by_epoch[:, :1].expand_as(by_epoch))
    in_turn = phases(CSO(linear=True, phase="sequential"), 2, 6)
    assert in_turn.flatten().tolist() == [1, 0] * 6
    whole = phases(CSO(linear=True, phase="sequential", granularity="epoch"), 4, 5)
    assert whole.mean(dim=1).tolist() == [1, 0, 1, 0]
    assert phases(CSO(phase=1), 2, 3).all()
    assert not phases(CSO(phase=2, linear=True), 2, 3).any()


def test_random_order_visits_every_task_once() -> None:
    method = CSO(phase=1, order="random")
    problem = prepared(method)
    orders = set()
    for batch in range(12):
        step = problem.step(batch)
        visited: list[int] = []
        taken = step.losses
        step.losses = lambda tasks, taken=taken, visited=visited: visited.extend(tasks) or taken(tasks)  # type: ignore
        method.update(step)
        assert sorted(visited) == [0, 1, 2]
        orders.add(tuple(visited))
    assert len(orders) > 2


def test_weightings_scale_each_step() -> None:
    """Under UW at its start (log-variances 0), a regression's weight is 1/2 and classification's 1."""
    method = CSO(phase=1, weighting=UncertaintyWeighting())
    problem, plain = prepared(method), prepared(CSO(phase=1))
    problem.train(method, [0])
    for task, weight in enumerate((1.0, 0.5, 1.0)):
        step = plain.step(0)
        step.backward(step.losses([task]), torch.tensor([weight]))
        step.apply()
    torch.testing.assert_close(problem.parameters, plain.parameters)


def test_findings_tell_who_owns_what() -> None:
    method = CSO(linear=True)
    problem = prepared(method)
    problem.train(method, range(4))
    method.end_epoch(torch.ones(3))
    assert method.findings()["phase_1"] == 1.0
    own_profile(problem)
    shares = method.findings()["priority"]["encoder.1.weight"]
    assert sum(shares) == pytest.approx(1)
    assert all(share > 0 for share in shares)


def test_models_and_options_that_it_refuses() -> None:
    plain, own = toy().context, toy(task_norm=True).context
    with pytest.raises(BenchError, match=r"model\.task_norm=true"):
        CSO().setup(plain)
    CSO(phase=1).setup(plain)
    with pytest.raises(BenchError, match=r"method\.linear=true"):
        CSO().setup(own)
    with pytest.raises(BenchError, match="one task at a time"):
        CSO(linear=True, weighting=RandomLossWeighting()).setup(own)
    for option in (
        *({"phase": 3}, {"granularity": "batch"}, {"order": "up"}, {"degenerate": "raise"}),
        *({"pairs": "some"}, {"projection": "none"}, {"strength": "conv"}),
    ):
        name = next(iter(option))
        with pytest.raises(BenchError, match=f"method.{name} is one of"):
            CSO(**{"linear": True, **option}).setup(own)  # type: ignore[arg-type]
