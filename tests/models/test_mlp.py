"""The perceptron's layers."""

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import MLP


def test_hidden_layers_follow_the_argument() -> None:
    model = MLP({"left": 10}, (3, 4, 5), hidden=(8, 6))
    weights = [tuple(value.shape) for value in model.parameters() if value.ndim > 1]
    assert weights == [(8, 60), (6, 8), (10, 6)]
    assert model.last_shared is model.get_parameter("encoder.3.weight")
    assert (model.encode(torch.randn(9, 3, 4, 5))[0] >= 0).all()


def test_no_hidden_layer_is_refused() -> None:
    with pytest.raises(BenchError, match="shares nothing"):
        MLP({"left": 10}, (1, 4, 4), hidden=())
