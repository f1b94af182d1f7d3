"""The two networks for CelebA have the released layers."""

import pytest
import torch
from torch import nn

from mtl_bench.errors import BenchError
from mtl_bench.models import MultiTaskModel, NineLayerCNN, ShallowResNet, initialise

FACES = (3, 64, 64)


def parameters(model: MultiTaskModel) -> int:
    return sum(value.numel() for value in model.parameters())


def test_nine_layers_as_released() -> None:
    """Counted by hand from FAMO's `experiments/celeba/models.py`."""
    convolutions = 9 * (3 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 512 * 512)
    norms = 2 * (64 + 2 * 128 + 2 * 256 + 2 * 512 + 2 * 512)
    model = NineLayerCNN({str(k): 1 for k in range(40)}, FACES)
    assert parameters(model) == convolutions + 2 * 512 * 512 + norms + 40 * 513 == 5_197_160
    assert sum(isinstance(part, nn.Conv2d | nn.Linear) for part in model.encoder.modules()) == 9
    (features,) = model.eval().encode(torch.rand(2, *FACES))
    assert features.shape == (2, 512)


def test_one_residual_block_as_released() -> None:
    """Counted by hand from TAG's notebook: no convolution in the shortcut, features of 15×15 positions."""
    model = ShallowResNet({str(k): 2 for k in range(9)}, FACES)
    assert parameters(model) == 9 * (3 * 64 + 2 * 64 * 64) + 3 * 2 * 64 + 9 * 2 * (64 * 15 * 15 + 1)
    initialise(model, 0)
    (first, second, *_) = model.encoder
    assert isinstance(first, nn.Conv2d)
    assert isinstance(second, nn.BatchNorm2d)
    assert first.weight.abs().max().item() == pytest.approx((6 / (9 * (3 + 64))) ** 0.5, rel=0.01)
    assert (second.eps, second.momentum) == (1e-3, 0.01)
    assert not any(head.bias.any() for head in model.heads.values() if isinstance(head, nn.Linear))


@pytest.mark.parametrize(("kind", "least"), [(NineLayerCNN, 8), (ShallowResNet, 5)])
def test_too_small_an_image_is_refused(kind: type[MultiTaskModel], least: int) -> None:
    model = kind({"a": 1}, (1, least, least))  # type: ignore[call-arg]
    assert model.eval().decode(model.encode(torch.rand(2, 1, least, least)), 0).shape == (2, 1)  # type: ignore[union-attr]
    with pytest.raises(BenchError, match=f"at least {least}×{least} pixels"):
        kind({"a": 1}, (1, least, least - 1))  # type: ignore[call-arg]
