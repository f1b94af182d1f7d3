"""The Xception-like network of the task-grouping papers."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.convolutional import ConvolutionalModel, check_size, check_widths
from mtl_bench.models.dense_head import Readout
from mtl_bench.models.heads import build_heads
from mtl_bench.models.separable import XceptionBlock, separable

STRIDE = 16


class Xception(ConvolutionalModel):
    """Shared Xception variant, one decoder of transposed convolutions per task (Standley et al., ICML 2020; TAG).

    Encoder (Chollet, CVPR 2017): two 3×3 convolutions, then residual blocks of separable convolutions; `widths` are the
    two convolutions', the first two blocks' and that of all `blocks` others. A separable 3×3 convolution to `features`
    channels with norm ends it: the shared tensor, at stride 16. Decoder: one transposed convolution per entry of
    `decoder`, each doubling the size, with norm and ReLU, and a 3×3 convolution to the outputs, cut to the image.
    `task_norm` gives every task encoder norms of its own.

    Published (TAG's release on Taskonomy): 32 and 64, 128 and 256, nine blocks of 728, stride 16, 512 features,
    decoder of 128, 64, 48, 32. Inferred: two separable convolutions in blocks that stride and three in others, a ReLU
    behind the shared features, 4×4 transposed kernels, the last 3×3 convolution.

    Raises `BenchError` for lists of other lengths, widths below 1, no block, and images of a single position in the
    last map.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        widths: Sequence[int] = (32, 64, 128, 256, 728),
        blocks: int = 9,
        features: int = 512,
        decoder: Sequence[int] = (128, 64, 48, 32),
        task_norm: bool = False,
    ) -> None:
        if len(widths) != 5 or len(decoder) != 4 or blocks < 1:
            raise BenchError("An Xception here has five model.widths, four widths in model.decoder, and a block.")
        for name, given in (("widths", widths), ("features", [features]), ("decoder", decoder)):
            check_widths(name, *given)
        check_size("Xception", input_shape, STRIDE + 1)
        first, second, *narrow, wide = widths
        stem = _convolution(input_shape[0], first, 2), _convolution(first, second, 1)
        striding = [second, *narrow, wide]
        down = [XceptionBlock(a, b, 2, 2) for a, b in pairwise(striding)]
        same = [XceptionBlock(wide, wide, 1, 3) for _ in range(blocks - 1)]
        end = nn.Sequential(*separable(wide, features), nn.ReLU())
        size = (input_shape[1], input_shape[2])
        heads = build_heads(outputs, lambda n: TransposedDecoder([features, *decoder], n, size))
        super().__init__(nn.Sequential(*stem, *down, *same, nn.ReLU(), end), heads, task_norm)


class TransposedDecoder(nn.Module):
    """Maps that double in size with each transposed convolution, cut to `size` (height, width)."""

    def __init__(self, widths: Sequence[int], outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.enlarge = nn.Sequential(*layers)
        self.readout = Readout(widths[-1], outputs, 3, padding=1)
        self.size = size

    def forward(self, maps: Float[Tensor, "batch features h w"]) -> Float[Tensor, "batch n height width"]:
        full: Tensor = self.enlarge(maps)
        found: Tensor = self.readout(full[..., : self.size[0], : self.size[1]])
        return found


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
