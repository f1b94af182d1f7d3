from pathlib import Path

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.training.schedules import Constant, Cosine, Milestones, Polynomial
from tests.runs import PER_EPOCH, Compose, begin, train, vary


def rates(schedule: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[float]:
    """Learning rate before each step."""
    found = []
    for _ in range(steps):
        found.append(float(schedule.get_last_lr()[0]))
        schedule.optimizer.step()
        schedule.step()
    return found


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def test_constant() -> None:
    assert [Constant().factor(progress) for progress in (0, 0.3, 1)] == [1, 1, 1]


def test_cosine_is_that_of_torch() -> None:
    expected = rates(torch.optim.lr_scheduler.CosineAnnealingLR(sgd(), T_max=20), 20)
    assert [Cosine().factor(batch / 20) for batch in range(20)] == pytest.approx(expected)
    assert Cosine().factor(1) == pytest.approx(0, abs=1e-15)


def test_milestones_are_those_of_torch() -> None:
    expected = rates(torch.optim.lr_scheduler.MultiStepLR(sgd(), [6, 15], gamma=0.1), 20)
    found = [Milestones([0.3, 0.75], gamma=0.1).factor(batch / 20) for batch in range(20)]
    assert found == pytest.approx(expected)


def test_polynomial_is_that_of_torch() -> None:
    expected = rates(torch.optim.lr_scheduler.PolynomialLR(sgd(), total_iters=20, power=0.9), 20)
    assert [Polynomial().factor(batch / 20) for batch in range(20)] == pytest.approx(expected)
    assert Polynomial().factor(1) == 0
    with pytest.raises(BenchError, match="power of a polynomial schedule is above 0, got 0"):
        Polynomial(0)


def test_halving_at_half_is_the_default() -> None:
    assert [Milestones().factor(progress) for progress in (0, 0.499, 0.5, 1)] == [1, 1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"milestones": [100]}, r"shares of the training between 0 and 1, no epochs; got \[100\]"),
        ({"milestones": [0.5, 0]}, r"no epochs; got \[0.5, 0\]"),
        ({"gamma": -1}, "gamma of milestones is above 0, got -1"),
    ],
)
def test_milestones_that_would_never_come_are_refused(wrong: dict, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        Milestones(**wrong)


@pytest.mark.parametrize("unit", [{"amount": 2, "unit": "epochs"}, {"amount": 28, "unit": "passes"}])
def test_a_run_stretches_its_schedule_over_the_budget(unit: dict, compose: Compose, data: Path, tmp_path: Path) -> None:
    """Half the rate at half the budget, whatever its unit, and the factor of the heads kept throughout."""
    training = compose().setting.training
    budget = {"budget": {**training["budget"], **unit}, "head_lr_factor": 4.0}
    plan = vary(compose(), data, {"protocol": {"training": {**training, **budget}}})
    left = train(plan, tmp_path)
    assert [row["batch"] for row in left.rows] == [PER_EPOCH, 2 * PER_EPOCH]
    assert [row["lr"] for row in left.rows] == pytest.approx([0.003 / 2, 0], abs=1e-12)
    trainer = begin(plan, tmp_path / "anew")
    assert [group["lr"] for group in trainer.machine.mover.optimizer.param_groups] == pytest.approx([0.003, 0.012])
