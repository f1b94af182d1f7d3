"""A multilayer perceptron for small images and tables."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod

from torch import nn

from mtl_bench.errors import BenchError
from mtl_bench.models.convolutional import EncoderModel, check_widths
from mtl_bench.models.heads import build_heads


class MLP(EncoderModel):
    """Flattened input, hidden layers with ReLU, one linear head per task.

    The shared representation is `[batch, hidden[-1]]`. `norm` puts a LayerNorm after every hidden layer, `task_norm`
    one per task. Raises `BenchError` without a hidden layer, which would leave nothing to share, or with an empty one.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        hidden: Sequence[int] = (256,),
        norm: bool = False,
        task_norm: bool = False,
    ) -> None:
        if not hidden:
            raise BenchError("An MLP without a hidden layer shares nothing: give `model.hidden` at least one width.")
        check_widths("hidden", *hidden)
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise((prod(input_shape), *hidden)):
            layers += [nn.Linear(before, after), *([nn.LayerNorm(after)] if norm or task_norm else []), nn.ReLU()]
        heads = build_heads(outputs, lambda n: nn.Linear(hidden[-1], n))
        super().__init__(nn.Sequential(*layers), heads, task_norm)
