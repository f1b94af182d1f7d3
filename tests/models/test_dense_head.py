"""Bilinear enlargement against torch's own."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from mtl_bench.models.dense_head import dense_head, enlarge

sides = st.tuples(st.integers(1, 12), st.integers(1, 12))


@settings(deadline=None)
@given(sides, sides)
def test_resize_is_bilinear_interpolation(old: tuple[int, int], new: tuple[int, int]) -> None:
    maps = torch.rand(2, 3, *old, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(enlarge(maps, new), interpolate(maps, new, mode="bilinear"))


def test_gradients_agree_too() -> None:
    maps, weight = torch.randn(2, 3, 6, 8, requires_grad=True), torch.randn(2, 3, 48, 61)
    ours, torchs = (
        torch.autograd.grad((weight * enlarged).sum(), maps)[0]
        for enlarged in (enlarge(maps, (48, 61)), interpolate(maps, (48, 61), mode="bilinear"))
    )
    torch.testing.assert_close(ours, torchs)


def test_head_gives_one_value_per_pixel() -> None:
    assert dense_head(8, 4, 13, (47, 64))(torch.randn(2, 8, 6, 8)).shape == (2, 13, 47, 64)
