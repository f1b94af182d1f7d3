"""Colours as detectors and segmenters have been trained on since SSD."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.data.augmentation.base import Augmentation, Fields
from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError


class PhotometricDistortion(Augmentation):
    """Brightness, contrast, saturation and hue of each image, each changed with probability ½ (Liu et al., ECCV 2016).

    In this order x + b, b from [-`brightness`, `brightness`]; c · x, c from [1 - `contrast`, 1 + `contrast`], for half
    of the images after all others instead; in HSV saturation times s from [1 - `saturation`, 1 + `saturation`] and hue
    turned by up to `hue` degrees. Values stay in [0, 1] at every step. The defaults are those of ATRC, InvPT and
    sel-update-mtl. Deviation: they round to bytes after every step, and hue to steps of 2°.

    Raises BenchError for images that have no three channels and for strengths outside [0, 1] (hue: [0, 180]).
    """

    revision: ClassVar[int] = 1

    def __init__(
        self, brightness: float = 32 / 255, contrast: float = 0.5, saturation: float = 0.5, hue: float = 36.0
    ) -> None:
        given = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue / 180}
        for name, strength in given.items():
            if not 0 <= strength <= 1:
                raise BenchError(f"PhotometricDistortion cannot change {name} by so much, got {strength:g}.")
        self.brightness, self.contrast, self.saturation, self.hue = brightness, contrast, saturation, hue

    def check(self, fields: Fields) -> None:
        if (channels := fields["image"].shape[0]) != 3:
            raise BenchError(f"PhotometricDistortion needs images of 3 channels, these have {channels}; leave it out.")

    def __call__(self, batch: Batch, fields: Fields, generator: torch.Generator) -> Batch:
        image, size = batch.image, len(batch.image)
        draw = torch.rand(2, 4, size, 1, 1, generator=generator, device=image.device)
        late = torch.rand(size, 1, 1, 1, generator=generator, device=image.device) < 0.5
        amount = (2 * draw[0] - 1) * (draw[1] < 0.5)  # from -1 to 1, and 0 where nothing changes
        contrast = (1 + self.contrast * amount[1])[:, None]
        image = (image + self.brightness * amount[0][:, None]).clamp_(0, 1)
        image = torch.where(late, image, (image * contrast).clamp_(0, 1))
        image = _turned(image, 1 + self.saturation * amount[2], self.hue / 60 * amount[3])
        return Batch(torch.where(late, (image * contrast).clamp_(0, 1), image), batch.targets, batch.labelled)


def _turned(
    image: Float[Tensor, "batch 3 height width"],
    saturation: Float[Tensor, "batch 1 1"],
    sextants: Float[Tensor, "batch 1 1"],
) -> Float[Tensor, "batch 3 height width"]:
    """The image with its saturation multiplied and its hue, which has six sextants, turned."""
    red, green, blue = image.unbind(1)
    value, chroma = image.amax(1), image.amax(1) - image.amin(1)
    share = 1 / chroma.clamp(min=1e-12)  # of a grey pixel no hue matters
    hue = torch.where(value == red, (green - blue) * share, 4 + (red - green) * share)
    hue = torch.where((value == green) & (value != red), 2 + (blue - red) * share, hue) + sextants
    chroma = (chroma * saturation).minimum(value)
    return torch.stack([value - chroma * _lack(hue + offset) for offset in (5, 3, 1)], dim=1)


def _lack(place: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch height width"]:
    """How much of the chroma a channel lacks, by where it stands on the wheel: none for three sextants of six."""
    place = place.remainder(6)
    return place.minimum(4 - place).clamp_(0, 1)
