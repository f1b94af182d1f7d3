"""The small convolutional network of the Multi-MNIST literature."""

from collections.abc import Mapping, Sequence

from torch import nn

from mtl_bench.errors import BenchError
from mtl_bench.models.convolutional import EncoderModel, check_widths
from mtl_bench.models.heads import build_heads

KERNEL = 5
POOL = 2


class LeNet(EncoderModel):
    """Two 5×5 convolutions, one shared embedding, a small perceptron per task (Sener and Koltun, NeurIPS 2018).

    Encoder: (convolution, 2×2 max-pool, ReLU) per entry of `channels`, then linear and ReLU to the shared
    representation `[batch, embedding]`. Head: linear `embedding`→`embedding`, ReLU, linear `embedding`→`outputs`. The
    paper feeds 36×36 pixels; here the size follows `input_shape` (channels, height, width). Dropout, which the paper's
    released code has and later users dropped, is left out. `norm` puts a BatchNorm after every convolution, `task_norm`
    one per task; the paper has none.

    Raises `BenchError` for a width below 1, and when an image vanishes in the poolings; two convolutions need 16×16
    pixels.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        channels: Sequence[int] = (10, 20),
        embedding: int = 50,
        norm: bool = False,
        task_norm: bool = False,
    ) -> None:
        check_widths("channels", *channels)
        check_widths("embedding", embedding)
        layers: list[nn.Module] = []
        width, *size = input_shape
        for out in channels:
            norms = [nn.BatchNorm2d(out)] if norm or task_norm else []
            layers += [nn.Conv2d(width, out, KERNEL), *norms, nn.MaxPool2d(POOL), nn.ReLU()]
            width = out
        pixels = _pooled(size[0], len(channels)) * _pooled(size[1], len(channels))
        encoder = nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * pixels, embedding), nn.ReLU())
        heads = build_heads(
            outputs,
            lambda n: nn.Sequential(nn.Linear(embedding, embedding), nn.ReLU(), nn.Linear(embedding, n)),
        )
        super().__init__(encoder, heads, task_norm)


def _pooled(side: int, convolutions: int) -> int:
    """Pixels that are left of `side` after so many convolutions and poolings."""
    left, least = side, 1
    for _ in range(convolutions):
        left = (left - KERNEL + 1) // POOL
        least = least * POOL + KERNEL - 1
    if side < least:
        raise BenchError(
            f"LeNet with {convolutions} convolutions needs images of at least {least}×{least} pixels and one side has "
            f"{side}: use larger images, fewer `model.channels`, or model=mlp."
        )
    return left
