"""Decoded batches and their label tables."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_bench.data.packed import Field, Packed, write_packed
from mtl_bench.data.residency import Residency
from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError
from mtl_bench.tasks import Classification

INDEX = torch.tensor([7, 0, 3, 7])


def with_holes(packed: Packed, folder: Path) -> Packed:
    """The same data with labels removed: `shape` of sample 0, `depth` of sample 3 in full and of sample 7 in part."""
    arrays = {split: {f: np.array(a) for f, a in packed.arrays(split).items()} for split in packed.manifest.splits}
    arrays["train"]["shape"][0] = -1
    arrays["train"]["depth"][3] = np.nan
    arrays["train"]["depth"][7, 0, 0] = np.nan
    write_packed(folder, "holes", arrays, packed.manifest.fields, "", {})
    return Packed.open(folder)


@pytest.mark.parametrize("residency", ["device", "memmap"])
def test_a_batch_is_decoded(packed: Packed, residency: Residency) -> None:
    stored = packed.arrays("train")
    split = Split(packed, ["train"], ["depth", "shape"], "cpu", residency=residency)
    batch = split.batch(INDEX)
    assert (split.size, batch.size, batch.labelled) == (10, 4, None)
    assert list(batch.targets) == ["depth", "shape"]
    assert [batch.image.dtype, batch.targets["depth"].dtype] == [torch.float32] * 2
    assert batch.targets["shape"].dtype == torch.int64
    np.testing.assert_allclose(batch.image, stored["image"][INDEX] / 255, rtol=1e-6)
    np.testing.assert_array_equal(batch.targets["shape"], stored["shape"][INDEX])
    np.testing.assert_array_equal(batch.targets["depth"], stored["depth"][INDEX])


def test_normalisation_acts_per_channel(packed: Packed) -> None:
    mean, std = [0.1, 0.5, 0.9], [0.2, 0.3, 2.0]
    plain = Split(packed, ["train"], ["shape"], "cpu").batch(INDEX).image.numpy()
    normalised = Split(packed, ["train"], ["shape"], "cpu", (mean, std)).batch(INDEX).image
    expected = (plain - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(normalised, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(BenchError, match="needs 3 means and 3 stds"):
        Split(packed, ["train"], ["shape"], "cpu", ([0.5], [0.5]))


def test_decoding_leaves_the_stored_arrays_alone(packed: Packed) -> None:
    split = Split(packed, ["train"], ["depth", "shape"], "cpu", ([0.5] * 3, [0.5] * 3), residency="device")
    first = split.batch(INDEX)
    first.image.zero_()
    first.targets["depth"].zero_()
    assert split.batch(INDEX).image.any()
    assert split.batch(INDEX).targets["depth"].any()


def test_several_parts_lie_end_to_end(packed: Packed) -> None:
    both = Split(packed, ["train", "val"], ["shape"], "cpu")
    val = Split(packed, ["val"], ["shape"], "cpu").batch(torch.arange(6))
    assert both.size == 16
    assert torch.equal(both.batch(torch.arange(10, 16)).image, val.image)


def test_a_complete_split_has_no_label_table(packed: Packed) -> None:
    assert Split(packed, ["train", "val"], ["shape", "depth"], "cpu").labelled is None


@pytest.mark.parametrize("residency", ["device", "memmap"])
def test_missing_labels_are_known_on_the_host(packed: Packed, tmp_path: Path, residency: Residency) -> None:
    split = Split(with_holes(packed, tmp_path / "holes"), ["train"], ["shape", "depth"], "cpu", residency=residency)
    assert split.labelled is not None
    assert np.argwhere(~split.labelled).tolist() == [[0, 0], [3, 1]]
    batch = split.batch(INDEX)
    assert batch.labelled is not None
    assert batch.labelled.tolist() == [[True, True], [False, True], [True, False], [True, True]]
    assert batch.targets["shape"][1] == -1
    assert batch.targets["depth"].isnan().flatten(1).sum(1).tolist() == [1, 0, 2, 1]


def test_a_table_covers_the_requested_tasks_only(packed: Packed, tmp_path: Path) -> None:
    holes = with_holes(packed, tmp_path / "holes")
    depth = Split(holes, ["train"], ["depth"], "cpu").labelled
    assert depth is not None
    assert np.argwhere(~depth).tolist() == [[3, 0]]
    assert Split(holes, ["val"], ["depth"], "cpu").labelled is None


def test_signed_bytes_are_127ths_and_minus_128_is_unknown(packed: Packed, tmp_path: Path) -> None:
    stored = np.arange(-128, 128, dtype=np.int8).reshape(4, 64)
    stored = np.concatenate([stored, np.full((6, 64), -128, np.int8)])
    arrays = {"train": {"image": packed.arrays("train")["image"], "sign": stored}}
    fields = {"image": packed.manifest.fields["image"], "sign": Field("int8", (64,), "int8/127")}
    write_packed(tmp_path / "signed", "signed", arrays, fields, "", {})
    split = Split(Packed.open(tmp_path / "signed"), ["train"], ["sign"], "cpu")
    assert split.labelled is not None
    assert split.labelled[:, 0].tolist() == [True] * 4 + [False] * 6
    found = split.batch(torch.arange(10)).targets["sign"].numpy()
    np.testing.assert_array_equal(found, np.where(stored == -128, np.nan, stored.astype(np.float32) / 127))
    assert (np.nanmin(found), np.nanmax(found)) == (-1, 1)


@pytest.mark.parametrize("residency", ["device", "memmap"])
def test_sixteen_bits_keep_their_upper_half(packed: Packed, tmp_path: Path, residency: Residency) -> None:
    depth = np.arange(10, dtype=np.uint16).reshape(10, 1) * 7000
    depth[7] = 65535
    fields = {
        "image": packed.manifest.fields["image"],
        "depth": Field("uint16", (1,), {"name": "number", "scale": 512, "invalid": 65535}, "m"),
        "ids": Field("uint16", (1,), {"name": "class", "ignore": [65535]}),
    }
    arrays = {"train": {"image": packed.arrays("train")["image"], "depth": depth, "ids": depth}}
    write_packed(tmp_path / "deep", "deep", arrays, fields, "", {})
    split = Split(Packed.open(tmp_path / "deep"), ["train"], ["depth", "ids"], "cpu", residency=residency)
    assert split.labelled is not None
    assert np.argwhere(~split.labelled).tolist() == [[7, 0], [7, 1]]
    batch = split.batch(torch.arange(10))
    np.testing.assert_array_equal(batch.targets["depth"], np.where(depth == 65535, np.nan, depth / 512))
    np.testing.assert_array_equal(batch.targets["ids"], np.where(depth == 65535, -1, depth.astype(int)))


def test_class_numbers_without_a_meaning_are_refused(packed: Packed) -> None:
    path = packed.folder / "train.shape.npy"
    labels = np.load(path)
    labels[4] = -100
    np.save(path, labels)
    with pytest.raises(BenchError) as refusal:
        Split(packed, ["val", "train"], ["depth", "shape"], "cpu")
    assert "field `shape` of split `train` holds the label -100" in str(refusal.value)
    assert "`ignore`" in str(refusal.value)


def test_a_class_that_is_nan_is_no_label(packed: Packed, tmp_path: Path) -> None:
    labels = np.array([np.nan, 3, 0, -1, 2, 1, 4, np.nan, 0, 1], np.float32)
    fields = {"image": packed.manifest.fields["image"], "shape": Field("float32", (), "class")}
    arrays = {"train": {"image": packed.arrays("train")["image"], "shape": labels}}
    write_packed(tmp_path / "floats", "floats", arrays, fields, "", {})
    split = Split(Packed.open(tmp_path / "floats"), ["train"], ["shape"], "cpu")
    assert split.labelled is not None
    assert np.argwhere(~split.labelled)[:, 0].tolist() == [0, 3, 7]
    targets = split.batch(torch.arange(10)).targets["shape"]
    assert targets.tolist() == [-1, 3, 0, -1, 2, 1, 4, -1, 0, 1]
    _, count = Classification(5).loss(torch.zeros(10, 5), targets)
    assert count == 7


def test_images_that_cannot_be_interpolated_are_refused(packed: Packed, tmp_path: Path) -> None:
    stored = np.zeros((4, 1, 2, 3), np.uint16)
    deep = Field("uint16", (1, 2, 3), "float")
    masked = Field("int16", (1, 2, 3), {"name": "number", "invalid": 0})
    for name, field in {"deep": deep, "masked": masked, "ids": Field("int16", (1, 2, 3), "class")}.items():
        arrays = {"train": {"image": stored.astype(field.dtype), "way": np.zeros(4, np.int8)}}
        write_packed(tmp_path / name, name, arrays, {"image": field, "way": Field("int8", (), "class")}, "", {})
        with pytest.raises(BenchError, match="Images are stored as bytes or floats"):
            Split(Packed.open(tmp_path / name), ["train"], ["way"], "cpu")


def test_a_part_of_a_batch(packed: Packed, tmp_path: Path) -> None:
    split = Split(with_holes(packed, tmp_path / "holes"), ["train"], ["shape", "depth"], "cpu")
    part, same = split.batch(INDEX).part(np.array([2, 1])), split.batch(INDEX[[2, 1]])
    assert torch.equal(part.image, same.image)
    assert torch.equal(part.targets["shape"], same.targets["shape"])
    np.testing.assert_array_equal(part.labelled, same.labelled)


def test_unknown_names_list_the_known_ones(packed: Packed) -> None:
    for task in ("colour", "image", "source"):
        with pytest.raises(BenchError, match=f"no target `{task}`; choose among shape, depth"):
            Split(packed, ["train"], [task], "cpu")
    with pytest.raises(BenchError, match="it has train, val"):
        Split(packed, ["test"], ["shape"], "cpu")
    with pytest.raises(BenchError, match="one of auto, device, memmap"):
        Split(packed, ["train"], ["shape"], "cpu", residency="gpu")  # type: ignore[arg-type]


def test_nothing_is_read_back_from_the_device(packed: Packed, tmp_path: Path) -> None:
    """The meta device has no values: reading one, or indexing by a mask, raises."""
    holes = with_holes(packed, tmp_path / "holes")
    split = Split(holes, ["train"], ["shape", "depth"], "meta", ([0.5] * 3, [0.5] * 3), residency="device")
    part = split.batch(INDEX).part(np.array([1, 2]))
    assert part.image.shape == (2, 3, 4, 5)
    assert part.labelled is not None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("residency", ["device", "memmap"])
def test_a_batch_does_not_wait_for_the_gpu(packed: Packed, residency: Residency) -> None:
    statistics = ([0.5] * 3, [0.5] * 3)
    split = Split(packed, ["train"], ["shape", "depth"], "cuda", statistics, residency=residency)
    torch.cuda.set_sync_debug_mode("error")
    try:
        batch = split.batch(INDEX).part(np.arange(4))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    host = Split(packed, ["train"], ["shape", "depth"], "cpu", statistics).batch(INDEX)
    torch.testing.assert_close(batch.image.cpu(), host.image)
    assert torch.equal(batch.targets["shape"].cpu(), host.targets["shape"])
