"""Scales below and above 1: what is seen, from where, and what lies around it."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.data.augmentation import Chain, HorizontalFlip, RandomScaleCrop, RandomZoom
from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.streams import stream_seed
from tests.data.test_augmentation_geometry import FIELDS, apply, assert_equal, at, scene, seen

FILL = (0.25, 0.5, 0.75)


def zoom(*scales: float, place: str = "random", drawn: str = "among") -> RandomZoom:
    return RandomZoom(scales, drawn, place, FILL)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(12, 20), (97, 128), (7, 33)])
def test_scale_one_changes_no_bit(size: tuple[int, int]) -> None:
    batch = scene(size=size)
    same = apply(zoom(1), batch)
    assert_equal(same.image, batch.image)
    for name, target in batch.targets.items():
        assert_equal(same.targets[name], target)


def framed(batch: Batch, height: int, width: int) -> tuple[tuple[slice, slice], Tensor]:
    """Where a smaller picture lies, and which pixels lie around it."""
    top, left = (12 - height) // 2, (20 - width) // 2
    inside = (slice(top, top + height), slice(left, left + width))
    outside = torch.ones(len(batch.image), 12, 20, dtype=torch.bool)
    outside[:, *inside] = False
    return inside, outside


@pytest.mark.parametrize(("scale", "height", "width"), [(0.5, 6, 10), (0.75, 9, 15), (0.63, 7, 12)])
def test_a_smaller_picture_lies_in_the_middle_of_nothing(scale: float, height: int, width: int) -> None:
    batch = scene(holes=0.3)
    small = apply(zoom(scale), batch)
    (rows, cols), outside = framed(batch, height, width)
    resized = F.interpolate(batch.image, (height, width), mode="bilinear")
    torch.testing.assert_close(small.image[:, :, rows, cols], resized, rtol=1e-4, atol=1e-5)
    assert_equal(small.image.permute(0, 2, 3, 1)[outside], torch.tensor(FILL).expand(int(outside.sum()), 3))
    nearest = F.interpolate(batch.targets["depth"], (height, width), mode="nearest-exact")
    torch.testing.assert_close(small.targets["depth"][:, :, rows, cols], nearest / scale, equal_nan=True)
    assert (small.targets["classes"][outside] == -1).all()
    for name in ("place", "depth", "normal"):
        assert small.targets[name].permute(0, 2, 3, 1)[outside].isnan().all()
    classes = F.interpolate(batch.targets["classes"][:, None].float(), (height, width), mode="nearest-exact")
    assert_equal(small.targets["classes"][:, rows, cols], classes[:, 0].long())
    length = small.targets["normal"].norm(dim=1)
    torch.testing.assert_close(length[~length.isnan()], torch.ones(int((~length.isnan()).sum())))


def test_a_larger_picture_is_seen_in_part() -> None:
    batch = scene()
    large = apply(zoom(2), batch)
    row, column = seen(large)
    assert len({(int(r), int(c)) for r, c in zip(row[:, 0, 0], column[:, 0, 0], strict=True)}) > 1
    assert (row.diff(dim=1) <= 1).all()
    assert_equal(large.targets["classes"], at(batch.targets["classes"], large))
    assert_equal(large.targets["depth"], at(batch.targets["depth"], large) / 2)
    whole = F.interpolate(batch.image, (24, 40), mode="bilinear")
    crops = F.unfold(whole, (12, 20)).view(len(whole), 3, 12, 20, -1)
    apart = (crops - large.image[..., None]).abs().flatten(1, 3).max(1).values.min(1).values
    assert (apart < 1e-5).all()


def test_the_centre_stays_in_the_centre() -> None:
    row, column = seen(apply(zoom(2, place="centre"), scene()))
    assert_equal(row[:, :, 0], (torch.arange(6, 18) // 2).expand(len(row), -1))
    assert_equal(column[:, 0], (torch.arange(10, 30) // 2).expand(len(row), -1))


def test_scales_are_drawn_between_or_among() -> None:
    batch = Batch(torch.rand(400, 3, 12, 20), {"depth": torch.ones(400, 1, 12, 20)}, None)
    depth = apply(zoom(0.5, 2, drawn="between"), batch).targets["depth"][:, 0, 6, 10]
    assert 0.5 <= depth.min() < 0.53
    assert 1.9 < depth.max() <= 2
    scales = 1 / depth
    assert 1.2 < scales.mean() < 1.3  # of the scale, not of the depth
    depth = apply(zoom(0.5, 1, 2), batch).targets["depth"][:, 0, 6, 10]
    assert sorted(depth.unique().tolist()) == [0.5, 1, 2]


@pytest.mark.parametrize(
    "parts",
    [
        [zoom(0.5, 0.8, 1.7), HorizontalFlip()],
        [HorizontalFlip(), zoom(0.7, place="centre"), zoom(1.9)],
        [zoom(0.6), RandomScaleCrop(scales=[1.5]), HorizontalFlip(p=1)],
    ],
)
def test_one_sampling_shows_what_one_after_another_does(parts: list) -> None:
    batch = scene()
    augment = Chain(parts, FIELDS, seed=3, device="cpu").at(1, 2)
    assert augment is not None
    together = augment(batch, dict.fromkeys(FIELDS, lambda stored: stored))
    generator = torch.Generator().manual_seed(stream_seed("augmentation", 3, 1, 2))
    for part in parts:
        batch = part(batch, FIELDS, generator)
    for name in ("place", "classes", "depth"):
        torch.testing.assert_close(together.targets[name], batch.targets[name], equal_nan=True)
    if len(parts) == 2:  # twice interpolated is not once interpolated
        torch.testing.assert_close(together.image, batch.image)


def test_what_cannot_be_is_refused() -> None:
    for scales in ([], [0.5, 0], [1, float("nan")], [1, float("inf")]):
        with pytest.raises(BenchError, match="needs scales above 0"):
            zoom(*scales)
    with pytest.raises(BenchError, match=r"between two ends are \[low, high\], got \[2, 1\]"):
        zoom(2, 1, drawn="between")
    with pytest.raises(BenchError, match="`random` place or the `centre`; got among, left"):
        zoom(1, place="left")
    with pytest.raises(BenchError, match=r"fills with values of images, from 0 to 1, got \[300, 0, 0\]"):
        RandomZoom([1], "among", "centre", [300, 0, 0])
    with pytest.raises(BenchError, match="Images have 3 channels; give RandomZoom a fill of as many"):
        Chain([RandomZoom([1], "among", "centre", [0.5])], FIELDS, 0, "cpu")
