"""GO4Align: risk, groups and weights, by hand."""

import copy

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods.go4align import GO4Align
from mtl_bench.methods.pcgrad import PCGrad
from tests.methods.toys import context, toy

ALL = (0, 1, 2)
DOUBLE = torch.float64
LOSSES = torch.tensor([0.5, 1.0, 8.0], dtype=DOUBLE)


def ready(**options: float) -> GO4Align:
    method = GO4Align(**options)  # type: ignore[arg-type]
    method.setup(context())
    return method


def indicators(batches: int, beta: float) -> torch.Tensor:
    """γ at batch `batches` of these losses, with q multiplied up as released, on the paper's scale."""
    q = torch.full((3,), 1 / 3, dtype=DOUBLE)
    for _ in range(batches):
        q = q * (-beta * LOSSES).exp()
        q = q / q.sum()
    return q * LOSSES.mean() / LOSSES


@pytest.mark.parametrize("beta", [0.0, 1e-4, 0.3])
def test_without_grouping(beta: float) -> None:
    method = ready(groups=3, beta=beta)
    for batch in range(1, 6):
        assert_close(method.weights(LOSSES, tasks=ALL), indicators(batch, beta), rtol=1e-6, atol=0)
        method.observe(LOSSES, tasks=ALL)


def test_groups_share_their_mean() -> None:
    one, two = ready(groups=1).weights(LOSSES, tasks=ALL), ready(groups=2, beta=0.0).weights(LOSSES, tasks=ALL)
    assert_close(one, indicators(1, 1e-4).mean().expand(3), rtol=1e-6, atol=0)
    found = indicators(1, 0.0)  # 2.1, 1.06, 0.13 in sizes: the two small ones are one group
    assert_close(two, torch.stack([found[0], found[1:].mean(), found[1:].mean()]), rtol=1e-6, atol=0)


def test_released_code_is_the_common_scale() -> None:
    """Σ l / l_k times q there, mean(l) / l_k times q in the paper, whose weights are 1 in sum when the tasks agree."""
    ours, raw = ready(groups=3), ready(groups=3, raw_scale=True)
    values = torch.full((3,), 0.7, dtype=DOUBLE)
    assert_close(ours.task_weights(values, tasks=ALL), torch.ones(3, dtype=DOUBLE))
    assert_close(raw.task_weights(values, tasks=ALL).sum().item(), 1.0)


def test_fewer_tasks_than_groups() -> None:
    assert ready(groups=7).weights(LOSSES[:1], tasks=(2,)).tolist() == pytest.approx([1.0])
    assert ready(groups=7).weights(LOSSES[:2], tasks=(0, 2)).isfinite().all()


def test_an_absent_tasks_risk_stays() -> None:
    problem, method = toy(absent=1), ready(beta=0.1)
    for batch in range(6):
        before = method.log_risk
        method.update(problem.step(batch))
        assert (method.log_risk != before).tolist() == [True, batch % 2 == 0, True]


def test_weights_change_no_state() -> None:
    method = ready(beta=0.1)
    before = copy.deepcopy(method.state_dict())
    assert torch.equal(method.weights(LOSSES, tasks=ALL), method.weights(LOSSES, tasks=ALL))
    assert str(before) == str(method.state_dict())


def test_no_solver_sees_nan() -> None:
    method = ready()
    assert method.weights(torch.tensor([1.0, torch.nan, 2.0]), tasks=ALL).isnan().all()
    method.observe(torch.tensor([1.0, torch.nan, 2.0]), tasks=ALL)
    assert method.log_risk.tolist() == [0, 0, 0]
    assert method.solver_failures == 0


def test_a_solver_that_missed_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    method = ready()
    method.weights(LOSSES, tasks=ALL)
    assert method.solver_failures == 0
    monkeypatch.setattr("mtl_bench.methods.go4align.kmeans_1d", lambda values, clusters: (values, 0.1))
    method.weights(LOSSES, tasks=ALL)
    assert method.solver_failures == 1


def test_small_steps_do_not_drown() -> None:
    """A million batches at the default step, which float32 would round to something else."""
    method = ready()
    method.log_risk = torch.full((3,), -100.0, dtype=DOUBLE)
    for _ in range(50):
        method.observe(torch.full((3,), 0.01, dtype=DOUBLE), tasks=ALL)
    assert_close(method.log_risk + 100, torch.full((3,), -50 * 1e-6, dtype=DOUBLE), rtol=1e-4, atol=0)


@pytest.mark.parametrize("options", [{"groups": 0}, {"beta": -1e-4}, {"groups": -1}])
def test_ranges(options: dict[str, float]) -> None:
    with pytest.raises(BenchError, match="groups is a number from 1 on and beta not negative"):
        ready(**options)


def test_what_its_solver_missed_counts_inside_another_method() -> None:
    method = PCGrad(weighting=GO4Align())
    method.setup(context())
    method.solver_failures, method.active_weighting.solver_failures = 1, 2
    assert method.missed_residuals() == 3
