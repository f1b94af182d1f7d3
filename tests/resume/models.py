"""A model with everything a checkpoint could forget: running statistics, dropout, a counter in a buffer."""

from collections.abc import Mapping, Sequence
from math import prod

from torch import Tensor, nn

from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.heads import build_heads


class NormDropout(MultiTaskModel):
    """Batch norm and dropout in the encoder, dropout in every head; takes `MLP`'s arguments."""

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        hidden: Sequence[int],
        norm: bool = True,
        task_norm: bool = False,
    ) -> None:
        super().__init__()
        assert not task_norm
        (width,) = hidden
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(prod(input_shape), width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2)
        )
        self.heads = build_heads(outputs, lambda n: nn.Sequential(nn.Dropout(0.1), nn.Linear(width, n)))

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        return [self.encoder(image)]
