"""IMTL-G: equal projections, the paper's difference matrix, and where there is no such direction."""

import torch
from torch.testing import assert_close

from mtl_bench.methods import IMTLG

DOUBLE = torch.float64


def rows_of(seed: int, k: int = 4) -> torch.Tensor:
    return torch.randn(k, k + 3, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def test_projections_are_equal_and_weights_sum_to_one() -> None:
    for seed in range(100):
        rows = rows_of(seed, 2 + seed % 9) * 10
        weights = IMTLG().weights(rows @ rows.T)
        projections = (rows @ (weights @ rows)) / rows.norm(dim=1)
        assert_close(projections, projections.mean().expand(len(rows)), rtol=1e-6, atol=1e-6)
        assert_close(weights.sum().item(), 1.0)


def test_equals_the_difference_matrix_of_the_paper() -> None:
    """w_2..K = g₁ Uᵀ (D Uᵀ)⁻¹ with D = g₁ − g_k and U = u₁ − u_k."""
    for seed in range(20):
        rows = rows_of(seed)
        units = rows / rows.norm(dim=1, keepdim=True)
        differences, turned = rows[:1] - rows[1:], units[:1] - units[1:]
        others = rows[0] @ turned.T @ torch.linalg.inv(differences @ turned.T)
        expected = torch.cat([1 - others.sum()[None], others])
        assert_close(IMTLG().weights(rows @ rows.T), expected, rtol=1e-6, atol=1e-8)


def test_weights_may_be_negative() -> None:
    assert any(IMTLG().weights(rows_of(seed) @ rows_of(seed).T).min() < 0 for seed in range(50))


def test_where_there_is_none_it_takes_no_step() -> None:
    rows = torch.tensor([[1.0, 2.0], [-2.0, -4.0]], dtype=DOUBLE)
    for matrix in (rows, torch.zeros_like(rows)):
        assert torch.equal(IMTLG().weights(matrix @ matrix.T), torch.zeros(2, dtype=DOUBLE))


def test_a_zero_gradient_has_no_weight_and_no_say() -> None:
    rows = rows_of(0)
    extended = torch.cat([rows, torch.zeros_like(rows[:1])])
    found = IMTLG().weights(extended @ extended.T)
    assert_close(found[:4], IMTLG().weights(rows @ rows.T))
    assert found[4] == 0
