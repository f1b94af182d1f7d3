"""UPGrad: each gradient projected, their mean, PCGrad with two tasks, priorities."""

import torch
from qpsolvers import solve_qp
from torch.testing import assert_close

from mtl_bench.methods import PCGrad, UPGrad
from tests.methods.toys import context, gramian_of

DOUBLE = torch.float64


def test_without_conflict_it_is_the_mean() -> None:
    rows = torch.rand(5, 9, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    assert_close(UPGrad().weights(rows @ rows.T), torch.full((5,), 0.2, dtype=DOUBLE))


def test_with_two_tasks_it_is_pcgrad() -> None:
    for seed in range(50):
        gramian = gramian_of(2, 2, seed)
        expected = PCGrad().weights(gramian, generator=torch.Generator().manual_seed(0))
        assert_close(UPGrad().scaled(UPGrad().weights(gramian)), expected)


def test_it_is_the_mean_of_the_projected_gradients() -> None:
    """Each the nearest to g_k of the directions without conflict, by a program in all coordinates."""
    for seed in range(10):
        rows = torch.randn(4, 6, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
        nearest = [
            solve_qp(
                P=torch.eye(6, dtype=DOUBLE).numpy(),
                q=-row.numpy(),
                G=-rows.numpy(),
                h=torch.zeros(4, dtype=DOUBLE).numpy(),
                solver="quadprog",
            )
            for row in rows
        ]
        expected = torch.stack([torch.from_numpy(each) for each in nearest]).mean(dim=0)
        assert_close(UPGrad().weights(rows @ rows.T) @ rows, expected, rtol=1e-6, atol=1e-8)


def test_priorities_weigh_the_projected_gradients() -> None:
    gramian, alone = gramian_of(3, 3, 2), []
    for task in ("shape", "depth", "colour"):
        method = UPGrad(priorities={name: float(name == task) for name in ("shape", "depth", "colour")})
        method.setup(context())
        alone.append(method.weights(gramian, tasks=(0, 1, 2)))
    assert_close(UPGrad().weights(gramian), torch.stack(alone).mean(dim=0))
    method = UPGrad(priorities={"shape": 2})
    method.setup(context())
    expected = (2 * alone[0] + alone[1] + alone[2]) / 4
    assert_close(method.weights(gramian, tasks=(0, 1, 2)), expected)
