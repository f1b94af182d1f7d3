"""LeNet's layers and the sizes it accepts."""

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import LeNet


def test_parameter_count_of_the_published_network_on_36_pixels() -> None:
    model = LeNet({"left": 10, "right": 10}, (1, 36, 36))
    convolutions = (25 + 1) * 10 + (10 * 25 + 1) * 20
    embedding = (20 * 6 * 6 + 1) * 50
    heads = 2 * ((50 + 1) * 50 + (50 + 1) * 10)
    assert sum(value.numel() for value in model.parameters()) == convolutions + embedding + heads


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 28, 28), (3, 16, 33)])
def test_size_follows_the_input(shape: tuple[int, int, int]) -> None:
    model = LeNet({"left": 10}, shape)
    (feature,) = model.encode(torch.zeros(2, *shape))
    assert feature.shape == (2, 50)
    assert model.last_shared is model.get_parameter("encoder.7.weight")
    assert model.last_shared.shape[0] == 50


@pytest.mark.parametrize("shape", [(1, 15, 28), (1, 28, 15), (1, 2, 2)])
def test_too_small_an_image_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(BenchError, match=f"at least 16×16 pixels and one side has {min(shape[1:])}"):
        LeNet({"left": 10}, shape)


def test_fewer_convolutions_take_smaller_images() -> None:
    model = LeNet({"left": 10}, (1, 8, 8), channels=[4])
    assert model.decode(model.encode(torch.zeros(2, 1, 8, 8)), 0).shape == (2, 10)
