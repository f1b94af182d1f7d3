"""The convolutional network of the CelebA tables."""

from collections.abc import Mapping, Sequence

from torch import nn

from mtl_bench.errors import BenchError
from mtl_bench.models.convolutional import EncoderModel, check_size, check_widths
from mtl_bench.models.heads import build_heads

STAGES = (1, 2, 2, 2)  # convolutions, each stage but the last one followed by a max-pool
LINEAR = 2


class NineLayerCNN(EncoderModel):
    """Seven 3×3 convolutions and two linear layers, each with BatchNorm and ReLU, one linear head per task.

    The network of Liu et al. (NeurIPS 2023) for CelebA, as released: stages of 1, 2, 2, 2 convolutions with `widths`
    channels, a 2×2 max-pool after each of the first three, the mean over all positions, two layers as wide as the last
    stage; no biases but in the heads, weights as torch draws them. Norms per task are left out: those after linear
    layers are of a kind that `with_task_norms` does not take.

    Raises `BenchError` for an image that vanishes in the poolings, and for other than four widths of at least 1.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        widths: Sequence[int] = (64, 128, 256, 512),
    ) -> None:
        check_size("This CNN", input_shape, 2 ** (len(STAGES) - 1))
        if len(widths) != len(STAGES):
            raise BenchError(f"`model.widths` holds one width per stage: give {len(STAGES)}, got {len(widths)}.")
        check_widths("widths", *widths)
        layers: list[nn.Module] = []
        inputs = input_shape[0]
        for stage, (count, width) in enumerate(zip(STAGES, widths, strict=True)):
            layers += [] if stage == 0 else [nn.MaxPool2d(2)]
            for _ in range(count):
                layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                inputs = width
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        for _ in range(LINEAR):
            layers += [nn.Linear(inputs, inputs, bias=False), nn.BatchNorm1d(inputs), nn.ReLU()]
        super().__init__(nn.Sequential(*layers), build_heads(outputs, lambda n: nn.Linear(inputs, n)), task_norm=False)
