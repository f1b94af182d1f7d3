"""FairGrad: its equation, its limits, and what it refuses."""

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods import MGDA, DualProj, FairGrad, NashMTL
from tests.methods.toys import context, gramian_of

DOUBLE = torch.float64


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
def test_its_equation(alpha: float) -> None:
    for seed in range(50):
        k = 2 + seed % 9
        gramian = gramian_of(k, k + 4, seed)
        weights = FairGrad(alpha=alpha).weights(gramian)
        assert weights.min() > 0
        assert_close(gramian @ weights, weights ** (-1 / alpha), rtol=1e-6, atol=0)


def test_alpha_one_is_nash_mtl() -> None:
    gramian = gramian_of(5, 7, 0)
    assert_close(FairGrad(alpha=1.0).weights(gramian), NashMTL().weights(gramian))


def test_large_alpha_is_max_min() -> None:
    """The worst task gains as much as along the min-norm point, which is the most that a unit vector can."""
    for seed in range(10):
        gramian = gramian_of(3, 6, seed)
        worst = []
        for method in (FairGrad(alpha=1.0), FairGrad(alpha=200.0), MGDA()):
            weights = method.weights(gramian)
            worst.append(float((gramian @ weights).min() / (weights @ gramian @ weights).sqrt()))
        assert worst[0] < worst[1] <= worst[2] + 1e-9
        assert worst[1] > 0.98 * worst[2]


def test_small_alpha_is_the_sum() -> None:
    weights = FairGrad(alpha=0.05).weights(gramian_of(3, 6, 1) + 20)  # no conflict
    assert_close(weights / weights.mean(), torch.ones(3, dtype=DOUBLE), rtol=0.05, atol=0)


def test_priorities_weigh_the_utilities() -> None:
    gramian, gains = gramian_of(3, 6, 0), []
    for priority in (0.5, 1, 4):
        method = FairGrad(priorities={"shape": priority})
        method.setup(context())
        weights = method.weights(gramian, tasks=(0, 1, 2))
        p = method.preference((0, 1, 2), 3)
        assert_close(gramian @ weights, (3 * p / weights).sqrt(), rtol=1e-7, atol=0)
        d = weights / (weights @ gramian @ weights).sqrt()
        gains.append(float((gramian @ d)[0]))
    assert gains == sorted(gains)


@pytest.mark.parametrize("alpha", [0.0, -1.0, 0.04, 501, float("inf"), float("nan")])
def test_what_is_no_fairness(alpha: float) -> None:
    with pytest.raises(BenchError, match=r"method\.alpha (lies in \[0\.05, 500\]|must be finite)"):
        FairGrad(alpha=alpha).setup(context())


def test_the_step_is_the_released_one() -> None:
    """k d, at most of length 1: long gradients have a short d."""
    for length, k, expected in ((10, 2, 1.0), (100, 2, 0.609), (100, 11, 1.0)):
        method, gramian = FairGrad(), torch.eye(k, dtype=torch.float64) * length**2
        weights = method.bounded(method.scaled(method.weights(gramian)), gramian)
        assert (weights @ gramian @ weights).sqrt().item() == pytest.approx(expected, abs=1e-3)
        plain = FairGrad(raw_scale=True)
        assert torch.equal(plain.scaled(plain.weights(gramian)), plain.weights(gramian))


@pytest.mark.parametrize(("alpha", "apart"), [(0.05, 1), (500.0, 1), (0.2, 100), (50.0, 100)])
def test_it_is_solved_over_its_range(alpha: float, apart: float) -> None:
    """`apart`: the longest gradient over the shortest, but for chance."""
    method = FairGrad(alpha=alpha)
    for seed in range(200):
        k = 2 + seed % 10
        rows = torch.randn(k, 25, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
        rows = (rows - rows.mean(dim=0) / 2) * apart ** torch.linspace(0, 1, k, dtype=DOUBLE)[:, None]
        assert method.weights(rows @ rows.T).min() > 0
    assert method.solver_failures == 0


@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_a_small_alpha_goes_where_dualproj_goes_and_not_to_the_sum(alpha: float) -> None:
    objected = 0
    for seed in range(40):
        rows = torch.randn(5, 25, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
        rows = rows - rows.mean(dim=0) / 2
        method, gramian = FairGrad(alpha=alpha), rows @ rows.T
        found, projected, total = method.weights(gramian) @ rows, DualProj().weights(gramian) @ rows, rows.sum(dim=0)
        assert method.solver_failures == 0
        assert torch.cosine_similarity(found, projected, dim=0) > 0.98
        if (rows @ total < 0).any():
            objected += 1
            nearer = torch.cosine_similarity(found, torch.stack([projected, total]))
            assert nearer[0] > nearer[1]
    assert objected > 5
