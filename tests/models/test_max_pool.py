"""The stem's pooling without gradients, beside torch's own."""

import math

import pytest
import torch
from torch import nn

from mtl_bench.models.max_pool import StemPool


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (6, 7), (24, 32)])
def test_the_same_numbers_with_and_without_gradients(size: tuple[int, int]) -> None:
    draw = torch.Generator().manual_seed(0)
    image = torch.randn(2, 3, *size, generator=draw)
    image[0, 0, 0, 0], image[0, 1, 0, 0], image[1, 0] = math.nan, math.inf, -math.inf
    expected = nn.MaxPool2d(3, 2, 1)(image)
    with torch.no_grad():
        found = StemPool()(image)
    assert torch.equal(found.nan_to_num(7.0), expected.nan_to_num(7.0))
    assert torch.equal(found.isnan(), expected.isnan())
    assert torch.equal(StemPool()(image).nan_to_num(7.0), expected.nan_to_num(7.0))
