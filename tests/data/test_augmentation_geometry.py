"""Pixels that move, against scenes whose moved form is known."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.data.augmentation import Augmentation, Chain, HorizontalFlip, RandomScaleCrop
from mtl_bench.data.packed import Field
from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.streams import stream_seed

BATCH, SIZE = 6, (12, 20)
FIELDS = {
    "image": Field("uint8", (3, *SIZE), "uint8/255"),
    "place": Field("float32", (2, *SIZE), "float", kind="map"),
    "classes": Field("int8", SIZE, "class", kind="map"),
    "depth": Field("float16", (1, *SIZE), "float", "m", kind="depth"),
    "normal": Field("int8", (3, *SIZE), "int8/127", kind="normal"),
}


def scene(holes: float = 0.2, size: tuple[int, int] = SIZE) -> Batch:
    """Random values, a share of them invalid, and `place`, which says of each pixel where it was."""
    draw = torch.Generator().manual_seed(0)
    hidden = torch.rand(BATCH, 1, *size, generator=draw) < holes
    normal = F.normalize(torch.randn(BATCH, 3, *size, generator=draw))
    targets = {
        "place": torch.stack(torch.meshgrid(*map(torch.arange, size), indexing="ij")).float().repeat(BATCH, 1, 1, 1),
        "classes": torch.randint(13, (BATCH, *size), generator=draw).masked_fill(hidden[:, 0], -1),
        "depth": torch.rand(BATCH, 1, *size, generator=draw).masked_fill(hidden, torch.nan),
        "normal": normal.masked_fill(hidden, torch.nan),
    }
    return Batch(torch.rand(BATCH, 3, *size, generator=draw), targets, None)


def apply(augmentation: Augmentation, batch: Batch, seed: int = 0) -> Batch:
    return augmentation(batch, FIELDS, torch.Generator().manual_seed(seed))


def seen(batch: Batch) -> tuple[Tensor, Tensor]:
    """Row and column, in the scene, of every pixel of an augmented batch."""
    row, column = batch.targets["place"].long().unbind(1)
    return row, column


def at(field: Tensor, batch: Batch) -> Tensor:
    """The scene's values at the pixels that the augmented batch shows."""
    row, column = seen(batch)
    samples = torch.arange(BATCH)[:, None, None]
    return field[samples, row, column] if field.ndim == 3 else field[samples, :, row, column].permute(0, 3, 1, 2)


def crops(field: Tensor, augmented: Batch, kept: tuple[int, int]) -> list[Tensor]:
    """What each sample's crop holds; its corner is the first pixel shown."""
    row, column = seen(augmented)
    corners = [(int(r), int(c)) for r, c in zip(row[:, 0, 0], column[:, 0, 0], strict=True)]
    return [field[b : b + 1, :, r : r + kept[0], c : c + kept[1]] for b, (r, c) in enumerate(corners)]


def assert_equal(left: Tensor, right: Tensor) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [SIZE, (96, 128), (7, 33)])
def test_scale_one_changes_no_bit(align_corners: bool, size: tuple[int, int]) -> None:
    batch = scene(size=size)
    same = apply(RandomScaleCrop(scales=[1], align_corners=align_corners), batch)
    assert_equal(same.image, batch.image)
    for name, target in batch.targets.items():
        assert_equal(same.targets[name], target)


def test_scale_two_repeats_every_pixel_of_a_crop_four_times() -> None:
    batch = scene()
    zoomed = apply(RandomScaleCrop(scales=[2]), batch)
    row, column = seen(zoomed)
    start = row[:, :1, :1], column[:, :1, :1]
    assert_equal(row, (start[0] + (torch.arange(12) // 2)[:, None]).expand(row.shape))
    assert_equal(column, (start[1] + torch.arange(20) // 2).expand(column.shape))
    assert len(start[0].unique()) > 1
    assert len(start[1].unique()) > 1
    assert_equal(zoomed.targets["classes"], at(batch.targets["classes"], zoomed))
    assert_equal(zoomed.targets["depth"], at(batch.targets["depth"], zoomed) / 2)


@pytest.mark.parametrize(("name", "factor"), [("divide", 0.5), ("multiply", 2), ("keep", 1)])
def test_depth_follows_the_scale_as_told(name: str, factor: float) -> None:
    batch = scene()
    zoomed = apply(RandomScaleCrop(scales=[2], divide_depth=name), batch)  # type: ignore[arg-type]
    assert_equal(zoomed.targets["depth"], at(batch.targets["depth"], zoomed) * factor)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("scale", [1.2, 1.5, 2.7])
@pytest.mark.parametrize("size", [(96, 128), (45, 61)])
def test_resizes_like_the_loaders_of_papers(scale: float, align_corners: bool, size: tuple[int, int]) -> None:
    """Crop by crop with F.interpolate; with `align_corners` to the letter of the releases, short normals included."""
    batch = scene(holes=0.1, size=size)
    options = {"renormalise_normals": False, "align_corners": align_corners}
    augmented = apply(RandomScaleCrop(scales=[scale], **options), batch)  # type: ignore[arg-type]
    kept = int(size[0] / scale), int(size[1] / scale)
    nearest = "nearest" if align_corners else "nearest-exact"
    for name, divisor in {"place": 1.0, "depth": scale}.items():
        expected = [F.interpolate(crop, size, mode=nearest) for crop in crops(batch.targets[name], augmented, kept)]
        torch.testing.assert_close(augmented.targets[name], torch.cat(expected) / divisor, equal_nan=True)
    found = augmented.targets["normal"].nan_to_num()
    for smooth, result in ((batch.image, augmented.image), (batch.targets["normal"].nan_to_num(), found)):
        crop = crops(smooth, augmented, kept)
        expected = [F.interpolate(one, size, mode="bilinear", align_corners=align_corners) for one in crop]
        torch.testing.assert_close(result, torch.cat(expected), rtol=1e-4, atol=2e-5)


def test_image_and_labels_stay_together() -> None:
    """A tilted plane: the image's values are the positions that classes and maps are taken from, to half a pixel."""
    batch = scene()
    batch.image = batch.targets["place"].clone()
    augmented = apply(RandomScaleCrop(), batch)
    assert (augmented.image - augmented.targets["place"]).abs().max() <= 0.5
    loose = apply(RandomScaleCrop(align_corners=True), batch)
    assert (loose.image - loose.targets["place"]).abs().max() > 0.5


def test_what_is_invalid_never_leaks() -> None:
    """One normal everywhere: each pixel shows just that, or nothing where its nearest pixel had none."""
    batch = scene(holes=0.4)
    hidden = batch.targets["depth"].isnan()
    one = F.normalize(torch.tensor([1.0, -2.0, -2.0]), dim=0)[:, None, None]
    batch.targets["normal"] = torch.where(hidden, torch.nan, one)
    batch.targets["normal"][:, :2][hidden.expand(-1, 2, -1, -1)] = 5.0  # a single NaN makes a pixel invalid
    augmented = apply(RandomScaleCrop(scales=[1.2, 1.5, 1.9]), batch)
    unknown = at(hidden, augmented)
    found = augmented.targets["normal"]
    assert_equal(found.isnan(), unknown.expand(found.shape))
    torch.testing.assert_close(found, torch.where(unknown, torch.nan, one), equal_nan=True)
    assert_equal(augmented.targets["classes"], at(batch.targets["classes"], augmented))
    assert_equal(augmented.targets["depth"].isnan(), unknown)


def test_normals_are_unit_after_interpolation_unless_told_otherwise() -> None:
    batch = scene(holes=0)
    unit = apply(RandomScaleCrop(scales=[1.5]), batch).targets["normal"].norm(dim=1)
    torch.testing.assert_close(unit, torch.ones_like(unit))
    short = apply(RandomScaleCrop(scales=[1.5], renormalise_normals=False), batch).targets["normal"].norm(dim=1)
    assert short.max() < 1 + 1e-6
    assert short.mean() < 0.9


@pytest.mark.parametrize(("negate", "sign"), [(True, -1.0), (False, 1.0)])
def test_a_flip_mirrors_everything(negate: bool, sign: float) -> None:
    batch = scene()
    mirrored = apply(HorizontalFlip(p=1, negate_normal_x=negate), batch)
    assert_equal(mirrored.image, batch.image.flip(3))
    for name in ("place", "classes", "depth"):
        assert_equal(mirrored.targets[name], batch.targets[name].flip(-1))
    turned = torch.tensor([sign, 1, 1])[:, None, None]
    assert_equal(mirrored.targets["normal"], batch.targets["normal"].flip(3) * turned)


def test_half_of_the_samples_are_mirrored() -> None:
    flip, batch = HorizontalFlip(), scene()
    first = torch.stack([apply(flip, batch, seed).targets["place"][:, 1, 0, 0] for seed in range(200)])
    assert first.unique().tolist() == [0, 19]
    assert 0.45 < (first == 0).float().mean() < 0.55


@pytest.mark.parametrize(
    "parts",
    [
        [RandomScaleCrop(), HorizontalFlip()],
        [HorizontalFlip(), RandomScaleCrop()],
        [HorizontalFlip(), RandomScaleCrop(align_corners=True), HorizontalFlip(p=1)],
    ],
)
def test_one_sampling_equals_one_after_another(parts: Sequence[Augmentation]) -> None:
    batch = scene()
    augment = Chain(parts, FIELDS, seed=3, device="cpu").at(1, 2)
    assert augment is not None
    together = augment(batch, dict.fromkeys(FIELDS, lambda stored: stored))
    generator = torch.Generator().manual_seed(stream_seed("augmentation", 3, 1, 2))
    for part in parts:
        batch = part(batch, FIELDS, generator)
    torch.testing.assert_close(together.image, batch.image)
    for name, target in batch.targets.items():
        torch.testing.assert_close(together.targets[name], target, equal_nan=True)


def test_nothing_given_is_changed() -> None:
    batch, before = scene(), scene()
    apply(RandomScaleCrop(scales=[1, 2]), batch)
    apply(HorizontalFlip(p=1), batch)
    assert_equal(batch.image, before.image)
    for name, target in before.targets.items():
        assert_equal(batch.targets[name], target)


def test_impossible_arguments_are_refused() -> None:
    for scales in ([], [1, 0.5], [1, float("nan")], [1, float("inf")]):
        with pytest.raises(BenchError, match="needs scales of at least 1"):
            RandomScaleCrop(scales=scales)
    with pytest.raises(BenchError, match="`divide`, `multiply` or `keep`, got 'times'"):
        RandomScaleCrop(divide_depth="times")  # type: ignore[arg-type]
    with pytest.raises(BenchError, match="a probability p from 0 to 1, got 2"):
        HorizontalFlip(p=2)


def test_scales_that_leave_no_pixel_are_refused() -> None:
    fields = {"image": Field("uint8", (3, 8, 12), "uint8/255")}
    RandomScaleCrop(scales=[1, 8]).check(fields)
    with pytest.raises(BenchError, match="leaves no pixel of 8×12 at a scale of 9"):
        RandomScaleCrop(scales=[1, 9]).check(fields)
