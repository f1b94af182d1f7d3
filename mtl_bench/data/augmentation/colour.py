"""Augmentations that change colours and move nothing."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.data.augmentation.base import Augmentation, Fields
from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in PIL and torchvision


class ColourJitter(Augmentation):
    """Brightness b, contrast c and saturation s of each image, each drawn from [1 - x, 1 + x] for its argument x.

    With luma ℓ and its mean m over the image, x → b·x, then c·x + (1 - c)·m, then s·x + (1 - s)·ℓ, and last clamped
    to [0, 1]. Deviation from torchvision's: always in this order, and clamped once instead of after each.
    Targets made of the image's own colours (mean colours of segments, texture edges) keep those from before.

    Raises BenchError for strengths outside [0, 1], and for the saturation of images that have no three channels.
    """

    revision: ClassVar[int] = 1

    def __init__(self, brightness: float = 0.4, contrast: float = 0.4, saturation: float = 0.4) -> None:
        self.strengths = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
        for name, strength in self.strengths.items():
            if not 0 <= strength <= 1:
                raise BenchError(f"ColourJitter needs a {name} from 0 to 1, got {strength}.")

    def check(self, fields: Fields) -> None:
        channels = fields["image"].shape[0]
        if self.strengths["saturation"] and channels != 3:
            raise BenchError(f"Images of {channels} channels have no saturation; set saturation: 0 of ColourJitter.")

    def __call__(self, batch: Batch, fields: Fields, generator: torch.Generator) -> Batch:
        image = batch.image
        draw = torch.rand(3, len(image), 1, 1, 1, generator=generator, device=image.device) * 2 - 1
        b, c, s = (1 + x * strength for x, strength in zip(draw, self.strengths.values(), strict=True))
        luma = _luma(image)
        offset = (1 - c) * b * luma.mean((2, 3), keepdim=True)
        grey = torch.addcmul(offset, (1 - s) * c * b, luma)
        return Batch(torch.addcmul(grey, image, s * c * b).clamp_(0, 1), batch.targets, batch.labelled)


def _luma(image: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1 height width"]:
    if image.shape[1] != 3:
        return image.mean(1, keepdim=True)
    red, green, blue = image.split(1, 1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])
