"""Images that are no multiple of an encoder's stride."""

import pytest
import torch

from mtl_bench.models.padding import enlarge_and_crop, padded


@pytest.mark.parametrize("size", [(32, 64), (33, 71), (1, 1)])
def test_what_is_padded_is_cut_again(size: tuple[int, int]) -> None:
    image = torch.randn(2, 3, *size)
    whole = padded(image, 16)
    assert all(side % 16 == 0 and 0 <= side - own < 16 for side, own in zip(whole.shape[2:], size, strict=True))
    assert torch.equal(whole[..., : size[0], : size[1]], image)
    assert whole.sum() == pytest.approx(image.sum().item(), rel=1e-4)
    assert torch.equal(enlarge_and_crop(whole, size, 16), image)
