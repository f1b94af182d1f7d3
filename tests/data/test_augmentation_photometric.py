"""Brightness, contrast, saturation and hue, against the standard library's HSV pixel by pixel."""

import colorsys

import pytest
import torch

from mtl_bench.data.augmentation import PhotometricDistortion
from mtl_bench.data.augmentation.photometric import _turned
from mtl_bench.data.packed import Field
from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError

FIELDS = {"image": Field("uint8", (3, 5, 7), "uint8/255")}


def drawn(count: int) -> torch.Tensor:
    image = torch.rand(count, 3, 5, 7, generator=torch.Generator().manual_seed(1))
    image[:, :, 0] = image[:, :1, 0]  # grey
    image[:, 1, 1] = image[:, 0, 1]  # two channels alike
    image[:, 2, 2] = 1.0
    return image


def distorted(image: torch.Tensor, seed: int = 0, **options: float) -> torch.Tensor:
    batch = Batch(image, {}, None)
    return PhotometricDistortion(**options)(batch, FIELDS, torch.Generator().manual_seed(seed)).image


@pytest.mark.parametrize(("saturation", "degrees"), [(1.0, 0.0), (1.4, 0.0), (0.5, 36.0), (1.2, -150.0)])
def test_saturation_and_hue_are_those_of_hsv(saturation: float, degrees: float) -> None:
    image = drawn(2)
    found = _turned(image, torch.full((2, 1, 1), saturation), torch.full((2, 1, 1), degrees / 60))
    for sample in range(2):
        for row in range(5):
            for col in range(7):
                hue, old, value = colorsys.rgb_to_hsv(*image[sample, :, row, col].tolist())
                expected = colorsys.hsv_to_rgb((hue + degrees / 360) % 1, min(1, old * saturation), value)
                torch.testing.assert_close(found[sample, :, row, col], torch.tensor(expected), atol=1e-5, rtol=0)


def test_each_is_changed_for_half_of_the_images() -> None:
    image = 0.4 + 0.2 * drawn(400)  # far from black and white
    brighter = (distorted(image, contrast=0, saturation=0, hue=0) - image)[:, 0, 0, 0]
    assert 0.4 < (brighter.abs() > 1e-5).float().mean() < 0.6
    assert brighter.abs().max() <= 32 / 255 + 1e-6
    stretched = (distorted(image, brightness=0, saturation=0, hue=0) / image)[:, 1, 3, 3]
    assert 0.4 < ((stretched - 1).abs() > 1e-5).float().mean() < 0.6
    assert 0.5 <= stretched.min() < 0.6
    assert 1.4 < stretched.max() <= 1.5
    grey = distorted(image, brightness=0, contrast=0)[:, :, 0]
    torch.testing.assert_close(grey, image[:, :, 0])  # has neither saturation nor hue


def test_contrast_comes_first_or_last() -> None:
    """Brightness in between clamps to white: what follows it shows."""
    image = torch.full((300, 3, 5, 7), 0.9)
    found = distorted(image, brightness=1.0, saturation=0, hue=0)[:, 0, 0, 0]
    assert (found == 1).any()  # white, and contrast no longer or upwards
    assert ((found > 0.5) & (found < 0.8)).any()
    assert found.max() <= 1
    assert found.min() >= 0


def test_it_depends_on_the_generator_alone_and_changes_nothing_given() -> None:
    image = drawn(8)
    before = image.clone()
    assert torch.equal(distorted(image, 3), distorted(image, 3))
    assert not torch.equal(distorted(image, 3), distorted(image, 4))
    assert torch.equal(image, before)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BenchError, match="needs images of 3 channels, these have 1"):
        PhotometricDistortion().check({"image": Field("uint8", (1, 5, 7), "uint8/255")})
    with pytest.raises(BenchError, match="cannot change hue by so much"):
        PhotometricDistortion(hue=200)
