"""ViT: taps, sizes and initial weights."""

from typing import Any

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import ViT, initialise
from mtl_bench.models.vit import TappedTransformer

TASKS = {"segmentation": 13, "depth": 1, "normal": 3}


@pytest.mark.parametrize(
    ("size", "width", "blocks", "taps"),
    [
        ("tiny", 192, 12, [2, 5, 8]),
        ("small", 384, 12, [2, 5, 8]),
        ("base", 768, 12, [2, 5, 8]),
        ("large", 1024, 24, [5, 11, 17]),
    ],
)
def test_parameters_are_the_papers(size: Any, width: int, blocks: int, taps: list[int]) -> None:
    """Of Dosovitskiy et al. and Touvron et al. without classifier, and a head of four taps."""
    with torch.device("meta"):
        model = ViT(TASKS, (3, 384, 384), size)
    block = 12 * width**2 + 13 * width
    trunk = blocks * block + 2 * width + width + (24 * 24 + 1) * width + (3 * 256 + 1) * width
    assert sum(value.numel() for value in model.shared_parameters().values()) == trunk
    assert sum(value.numel() for value in model.task_parameters(0).values()) == (4 * width + 1) * 13
    assert isinstance(model.encoder, TappedTransformer)
    assert model.encoder.indices == taps


def test_taps_are_maps_of_the_tokens() -> None:
    model = ViT(TASKS, (3, 33, 47), drop_path=0).eval()
    initialise(model, 0)
    image, blocks = torch.randn(2, 3, 33, 47), []
    for number in (2, 5, 8, 11):
        model.get_submodule(f"encoder.vit.blocks.{number}").register_forward_hook(lambda *call: blocks.append(call[2]))
    (features,) = model.encode(image)
    assert features.shape == (2, 4 * 192, 3, 3)
    tokens = [*blocks[:3], model.get_submodule("encoder.vit.norm")(blocks[3])]
    for tap, found in zip(features.split(192, dim=1), tokens, strict=True):
        torch.testing.assert_close(tap[..., 1, 2], found[:, 1 + 3 + 2])  # behind the class token, row 1 and column 2
    assert [model.decode([features], k).shape for k in range(3)] == [(2, n, 33, 47) for n in TASKS.values()]


def test_weights_start_as_timm_draws_them() -> None:
    model = ViT(TASKS, (3, 64, 64))
    initialise(model, 0)
    for name in ("encoder.vit.blocks.3.mlp.fc1.weight", "encoder.vit.pos_embed"):
        assert model.get_parameter(name).std().item() == pytest.approx(0.02, rel=0.05)
    assert (model.get_parameter("encoder.vit.blocks.3.attn.qkv.bias") == 0).all()


def test_another_size_is_refused() -> None:
    size: Any = "huge"
    with pytest.raises(BenchError, match="tiny, small, base, large"):
        ViT(TASKS, (3, 32, 32), size)
