"""A multilayer perceptron for small images and tables."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.heads import build_heads


class MLP(MultiTaskModel):
    """Flattened input, hidden layers with ReLU, one linear head per task.

    The shared representation is `[batch, hidden[-1]]`. Raises `BenchError` without a hidden layer, which would leave
    nothing to share.
    """

    def __init__(
        self, outputs: Mapping[str, int], input_shape: tuple[int, int, int], hidden: Sequence[int] = (256,)
    ) -> None:
        super().__init__()
        if not hidden:
            raise BenchError("An MLP without a hidden layer shares nothing: give `model.hidden` at least one width.")
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise((prod(input_shape), *hidden)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.encoder = nn.Sequential(*layers)
        self.heads = build_heads(outputs, lambda n: nn.Linear(hidden[-1], n))

    def encode(
        self, image: Float[Tensor, "batch channels height width"], task: int | None = None
    ) -> list[Float[Tensor, "batch hidden"]]:
        return [self.encoder(image)]
