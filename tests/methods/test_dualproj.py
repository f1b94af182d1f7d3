"""DualProj: the nearest direction without conflict."""

import torch
from qpsolvers import solve_qp
from torch.testing import assert_close

from mtl_bench.methods import DualProj
from tests.methods.toys import context, gramian_of

DOUBLE = torch.float64


def test_it_is_the_nearest_to_the_mean_gradient() -> None:
    for seed in range(20):
        rows = torch.randn(4, 6, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
        expected = solve_qp(
            P=torch.eye(6).double().numpy(),
            q=-rows.mean(dim=0).numpy(),
            G=-rows.numpy(),
            h=torch.zeros(4).double().numpy(),
            solver="quadprog",
        )
        assert expected is not None
        assert_close(DualProj().weights(rows @ rows.T) @ rows, torch.from_numpy(expected), rtol=1e-6, atol=1e-8)


def test_only_conflict_with_the_sum_counts() -> None:
    """The two gradients conflict with each other and not with their sum."""
    rows = torch.tensor([[1.0, 0.0], [-0.5, 1.0]], dtype=DOUBLE)
    assert_close(DualProj().weights(rows @ rows.T), torch.full((2,), 0.5, dtype=DOUBLE))


def test_priorities_are_the_mean_that_is_projected() -> None:
    method = DualProj(priorities={"shape": 2})
    method.setup(context())
    rows = torch.rand(3, 4, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    found = method.weights(rows @ rows.T, tasks=(0, 1, 2))
    assert_close(found, torch.tensor([0.5, 0.25, 0.25], dtype=DOUBLE))
    gramian = gramian_of(3, 3, 2)
    assert (method.weights(gramian, tasks=(0, 1, 2)) >= method.preference((0, 1, 2), 3)).all()
