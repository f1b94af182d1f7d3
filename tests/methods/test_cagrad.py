"""CAGrad: between the sum and MGDA, its scales, priorities, and what it refuses."""

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods import MGDA, CAGrad
from mtl_bench.methods.cagrad import WIDEST
from tests.methods.toys import context, gramian_of

DOUBLE = torch.float64


def test_no_radius_is_the_mean() -> None:
    gramian = gramian_of(5, 7, 0)
    assert_close(CAGrad(c=0.0).weights(gramian), torch.full((5,), 0.2, dtype=DOUBLE))


def test_a_large_radius_is_mgdas_direction() -> None:
    for seed in range(20):
        gramian = gramian_of(4, 6, seed)
        ours, theirs = CAGrad(c=1e6).weights(gramian), MGDA().weights(gramian)
        assert_close(ours / ours.sum(), theirs, rtol=1e-4, atol=1e-5)


def test_scales() -> None:
    gramian = gramian_of(3, 5, 0)
    plain = CAGrad(c=0.4, rescale="none").weights(gramian)
    assert_close(CAGrad(c=0.4).weights(gramian) * 1.4, plain)
    assert_close(CAGrad(c=0.4, rescale="1+c2").weights(gramian) * 1.16, plain)
    assert_close(CAGrad().scaled(plain), 3 * plain)


def test_the_worst_task_gains_the_more_the_larger_the_ball() -> None:
    gramian = gramian_of(4, 4, 1)
    worst = [(gramian @ CAGrad(c=c, rescale="none").weights(gramian)).min().item() for c in (0.0, 0.2, 0.4, 0.8)]
    assert worst == sorted(worst)
    assert worst[0] < worst[-1]


def test_priorities_move_the_centre() -> None:
    method = CAGrad(c=0.0, priorities={"shape": 2})
    method.setup(context())
    found = method.weights(gramian_of(3, 5, 0), tasks=(0, 1, 2))
    assert_close(found, torch.tensor([0.5, 0.25, 0.25], dtype=DOUBLE))


def test_the_largest_radius_is_mgda() -> None:
    for seed in range(50):
        rows = torch.randn(2 + seed % 10, 25, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
        found, expected = (method.weights(rows @ rows.T) @ rows for method in (CAGrad(c=WIDEST), MGDA()))
        assert torch.cosine_similarity(found, expected, dim=0) > 1 - 1e-12


@pytest.mark.parametrize("c", [-0.1, 1e308, float("inf"), float("nan")])
def test_what_is_no_radius(c: float) -> None:
    with pytest.raises(BenchError, match=r"method\.c (is not negative and at most 1,000,000|must be finite)"):
        CAGrad(c=c).setup(context())
    with pytest.raises(BenchError, match=r"method\.rescale is one of"):
        CAGrad(rescale="2").setup(context())  # type: ignore[arg-type]
