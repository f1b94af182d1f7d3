"""Colours, random streams, and datasets that an augmentation cannot serve."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_bench.data.augmentation import Augmentation, Chain, ColourJitter, HorizontalFlip, RandomScaleCrop
from mtl_bench.data.packed import Field, Packed, write_packed
from mtl_bench.data.split import Batch, Split
from mtl_bench.errors import BenchError
from tests.step.test_host_syncs import Waits

SIZE = (8, 12)
FIELDS = {
    "image": Field("uint8", (3, *SIZE), "uint8/255"),
    "classes": Field("int8", SIZE, "class", kind="map"),
    "depth": Field("float16", (1, *SIZE), "float", "m", kind="depth"),
    "normal": Field("int8", (3, *SIZE), "int8/127", kind="normal"),
    "scene": Field("int8", (), "class"),
    "disparity": Field("uint16", (1, *SIZE), {"name": "number", "scale": 256, "offset": 1, "invalid": 0}, kind="depth"),
    "distance": Field("uint16", (1, *SIZE), {"name": "log", "low": 0.1, "high": 128}, "m", kind="depth"),
    "colours": Field("uint8", (3, *SIZE), {"name": "normal", "flip": [2]}, kind="normal"),
    "ids": Field("uint8", SIZE, {"name": "class", "ids": [-1, 0, 0, 1, 2], "ignore": [255]}, kind="map"),
}
TASKS = tuple(FIELDS)[1:]
ALL: list[Augmentation] = [RandomScaleCrop(keeps_labels=True), HorizontalFlip(keeps_labels=True), ColourJitter()]
INDEX = torch.tensor([7, 0, 3, 7])


@pytest.fixture
def dense(tmp_path: Path) -> Packed:
    draw = np.random.RandomState(0)
    arrays = {
        "image": draw.randint(0, 256, (10, 3, *SIZE)).astype(np.uint8),
        "classes": draw.randint(-1, 13, (10, *SIZE)).astype(np.int8),
        "depth": np.where(draw.rand(10, 1, *SIZE) < 0.2, np.nan, draw.rand(10, 1, *SIZE)).astype(np.float16),
        "normal": draw.randint(-128, 128, (10, 3, *SIZE)).astype(np.int8),
        "scene": draw.randint(0, 4, 10).astype(np.int8),
    }
    arrays["normal"][3] = -128
    for name in ("disparity", "distance"):
        arrays[name] = draw.randint(0, 65536, (10, 1, *SIZE)).astype(np.uint16)
        arrays[name][draw.rand(10, 1, *SIZE) < 0.2] = 0
    arrays["colours"] = draw.randint(0, 256, (10, 3, *SIZE)).astype(np.uint8)
    arrays["colours"][:, :, 2:4] = 128
    arrays["ids"] = draw.choice([0, 1, 2, 3, 4, 255], (10, *SIZE)).astype(np.uint8)
    write_packed(tmp_path / "dense", "dense", {"train": arrays}, FIELDS, "drawn", {})
    return Packed.open(tmp_path / "dense")


def augmented(split: Split, epoch: int = 0, position: int = 0, seed: int = 0, parts: list[Augmentation] = ALL) -> Batch:
    fields = {name: FIELDS[name] for name in ("image", *split.tasks)}
    return split.batch(INDEX, Chain(parts, fields, seed, "cpu").at(epoch, position))


def same(left: Batch, right: Batch) -> bool:
    pairs = [(left.image, right.image), *((left.targets[name], right.targets[name]) for name in left.targets)]
    return all(torch.equal(a.nan_to_num(9), b.nan_to_num(9)) for a, b in pairs)


def test_a_batch_depends_on_seed_epoch_and_position_alone(dense: Packed) -> None:
    split = Split(dense, ["train"], TASKS, "cpu")
    batch = augmented(split, 2, 5, seed=1)
    torch.rand(3)
    assert same(batch, augmented(Split(dense, ["train"], TASKS, "cpu", residency="memmap"), 2, 5, seed=1))
    for epoch, position, seed in ((3, 5, 1), (2, 6, 1), (2, 5, 0)):
        assert not same(batch, augmented(split, epoch, position, seed))


def test_the_image_does_not_depend_on_the_targets(dense: Packed) -> None:
    alone = augmented(Split(dense, ["train"], ["depth"], "cpu"))
    assert torch.equal(alone.image, augmented(Split(dense, ["train"], TASKS, "cpu")).image)


@pytest.mark.parametrize("parts", [ALL, ALL[::-1], ALL[1:], ALL[2:]])
def test_augmenting_what_is_stored_is_augmenting_what_is_decoded(dense: Packed, parts: list[Augmentation]) -> None:
    statistics = ([0.1, 0.2, 0.3], [0.5, 0.4, 0.3])
    stored = augmented(Split(dense, ["train"], TASKS, "cpu", statistics), parts=parts)
    augment = Chain(parts, FIELDS, 0, "cpu").at(0, 0)
    assert augment is not None
    plain = Split(dense, ["train"], TASKS, "cpu").batch(INDEX)
    decoded = augment(plain, dict.fromkeys(FIELDS, lambda target: target))
    mean, std = (torch.tensor(values)[:, None, None] for values in statistics)
    torch.testing.assert_close(stored.image, (decoded.image - mean) / std, rtol=1e-4, atol=1e-5)
    for name, target in decoded.targets.items():
        torch.testing.assert_close(stored.targets[name], target, equal_nan=True)


def test_the_table_of_labels_and_labels_of_whole_images_stay(dense: Packed) -> None:
    split = Split(dense, ["train"], TASKS, "cpu")
    plain, batch = split.batch(INDEX), augmented(split)
    np.testing.assert_array_equal(batch.labelled, plain.labelled)
    assert plain.labelled is not None
    assert plain.labelled[:, TASKS.index("normal")].tolist() == [True, True, False, True]
    assert torch.equal(batch.targets["scene"], plain.targets["scene"])


def test_no_augmentation_is_nothing() -> None:
    assert Chain([], FIELDS, 0, "cpu").at(0, 0) is None


def test_nothing_waits_for_the_device(dense: Packed) -> None:
    split = Split(dense, ["train"], TASKS, "cpu")
    rows = split.batch(INDEX)
    augment = Chain(ALL, FIELDS, 0, "cpu").at(0, 0)
    assert augment is not None
    as_they_are = dict.fromkeys(FIELDS, lambda target: target)
    augment(rows, as_they_are)  # the table of crops is sent once
    with Waits():
        augment(rows, as_they_are)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_nothing_waits_for_the_gpu(dense: Packed) -> None:
    split = Split(dense, ["train"], TASKS, "cuda", ([0.5] * 3, [0.5] * 3))
    augment = Chain(ALL, FIELDS, 0, "cuda").at(0, 0)
    first = split.batch(INDEX, augment)
    torch.cuda.set_sync_debug_mode("error")
    try:
        second = split.batch(INDEX, augment)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert same(first, second)


def test_jitter_is_brightness_then_contrast_then_saturation() -> None:
    image = 0.4 + 0.2 * torch.rand(5, 3, *SIZE, generator=torch.Generator().manual_seed(1))  # far from the clamp
    jitter = ColourJitter(0.3, 0.2, 0.4)
    found = jitter(Batch(image, {}, None), FIELDS, torch.Generator().manual_seed(4)).image
    draw = torch.rand(3, 5, generator=torch.Generator().manual_seed(4)) * 2 - 1
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    for sample, (b, c, s) in enumerate((1 + draw.T * torch.tensor([0.3, 0.2, 0.4])).tolist()):
        expected = b * image[sample]
        expected = c * expected + (1 - c) * (weights * expected).sum(0).mean()
        expected = s * expected + (1 - s) * (weights * expected).sum(0)
        torch.testing.assert_close(found[sample], expected)


def test_jitter_stays_between_black_and_white() -> None:
    image = torch.rand(50, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    found = ColourJitter(1, 1, 1)(Batch(image, {}, None), FIELDS, torch.Generator().manual_seed(0)).image
    assert (found.min(), found.max()) == (0, 1)
    still = ColourJitter(0, 0, 0)(Batch(image, {}, None), FIELDS, torch.Generator()).image
    torch.testing.assert_close(still, image)


def test_jitter_of_grey_images_has_no_saturation() -> None:
    fields = {"image": Field("uint8", (1, *SIZE), "uint8/255")}
    with pytest.raises(BenchError, match="Images of 1 channels have no saturation"):
        Chain([ColourJitter()], fields, 0, "cpu")
    grey = Batch(torch.full((2, 1, *SIZE), 0.5), {}, None)
    assert ColourJitter(0.2, 0.2, 0)(grey, fields, torch.Generator().manual_seed(0)).image.shape == grey.image.shape
    with pytest.raises(BenchError, match="needs a contrast from 0 to 1, got 3"):
        ColourJitter(contrast=3)


@pytest.mark.parametrize(
    ("name", "field", "message"),
    [
        ("scene", FIELDS["scene"], "`scene` is a label of the whole image that may not survive it; set keeps_labels"),
        ("classes", replace(FIELDS["classes"], kind=""), "move the image but not `classes`"),
        ("depth", replace(FIELDS["depth"], shape=(1, 4, 6)), "cannot move `depth`"),
    ],
)
def test_labels_that_would_become_wrong_are_refused(name: str, field: Field, message: str) -> None:
    for part in (RandomScaleCrop(), HorizontalFlip()):
        with pytest.raises(BenchError, match=message):
            Chain([part], {"image": FIELDS["image"], name: field}, 0, "cpu")
    Chain([ColourJitter()], {"image": FIELDS["image"], name: field}, 0, "cpu")
