"""Inner products of rows, short and long."""

import pytest
import torch

from mtl_bench.step.engines.products import LONG, PIECE, products


@pytest.mark.parametrize(
    ("length", "tolerance"), [(0, 0.0), (5, 1e-6), (LONG - 1, 3e-4), (LONG, 1e-6), (LONG + 3 * PIECE + 7, 1e-6)]
)
def test_products_are_those_in_double_precision(length: int, tolerance: float) -> None:
    """Long rows to six digits; short ones, summed in single precision, to what that keeps."""
    rows, others = torch.randn(3, length), torch.randn(2, length)
    for right in (rows, others):
        expected = rows.double() @ right.double().T
        torch.testing.assert_close(products(rows, right).double(), expected, rtol=0, atol=tolerance * length)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rows_of_half_precision_have_products_of_single(dtype: torch.dtype) -> None:
    rows = (300 * torch.randn(3, 50)).to(dtype)  # squared norms beyond what fp16 can hold
    torch.testing.assert_close(products(rows, rows), rows.float() @ rows.float().T)


def test_rows_of_a_larger_buffer_may_be_long() -> None:
    buffer = torch.randn(LONG + 1, 4).T  # no row of it lies in one piece
    rows = buffer[1:3]
    expected = rows.double() @ buffer.double().T
    torch.testing.assert_close(products(rows, buffer), expected, rtol=1e-6, atol=1e-2)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", [0, LONG])
def test_one_bad_entry_of_a_long_row_shows(bad: float, place: int) -> None:
    rows = torch.ones(2, LONG + 1)
    rows[1, place] = bad
    found = products(rows, rows)
    assert found[0, 0] == LONG + 1
    assert not found[1].isfinite().any()
