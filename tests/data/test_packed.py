"""Packed datasets on disk."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.packed import MANIFEST, Field, Packed, write_packed
from mtl_bench.errors import BenchError


def copies(packed: Packed) -> dict[str, dict[str, np.ndarray]]:
    return {
        split: {field: np.array(array) for field, array in packed.arrays(split).items()}
        for split in packed.manifest.splits
    }


def rewrite(packed: Packed, folder: Path, arrays: dict[str, dict[str, np.ndarray]]) -> str:
    return write_packed(folder, "tiny", arrays, packed.manifest.fields, "rewritten", {}).digest


def test_what_is_written_is_read(packed: Packed) -> None:
    manifest = packed.manifest
    assert manifest.splits == {"train": 10, "val": 6}
    assert manifest.targets == ("shape", "depth")
    assert manifest.fields["depth"].unit == "m"
    assert manifest.parameters == {"data_seed": 0}
    train = packed.arrays("train")
    assert {field: array.shape for field, array in train.items()} == {
        "image": (10, 3, 4, 5),
        "shape": (10,),
        "depth": (10, 1, 2),
        "source": (10, 2),
    }
    assert all(isinstance(array, np.memmap) and not array.flags.writeable for array in train.values())


def test_the_digest_depends_on_the_content_alone(packed: Packed, tmp_path: Path) -> None:
    arrays = copies(packed)
    assert rewrite(packed, tmp_path / "same", arrays) == packed.digest
    arrays["val"]["shape"][2] += 1
    assert rewrite(packed, tmp_path / "other", arrays) != packed.digest


def test_an_existing_folder_is_kept(packed: Packed) -> None:
    arrays = copies(packed)
    arrays["val"]["shape"][2] += 1
    assert rewrite(packed, packed.folder, arrays) == packed.digest


def truncate(packed: Packed) -> None:
    path = packed.folder / "train.image.npy"
    path.write_bytes(path.read_bytes()[:-7])


def remove(packed: Packed) -> None:
    (packed.folder / "val.depth.npy").unlink()


def change_dtype(packed: Packed) -> None:
    np.save(packed.folder / "train.shape.npy", np.zeros(10, np.uint8))  # as many bytes as int8


def change_shape(packed: Packed) -> None:
    np.save(packed.folder / "train.source.npy", np.zeros((2, 10), np.int32))


def overwrite(packed: Packed) -> None:
    path = packed.folder / "train.shape.npy"
    path.write_bytes(b"x" * path.stat().st_size)


def forget(packed: Packed) -> None:
    manifest = json.loads((packed.folder / MANIFEST).read_text())
    del manifest["files"]["train.depth.npy"]
    (packed.folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, r"train\.image\.npy is truncated or changed: expected 728 bytes, found 721"),
        (remove, r"val\.depth\.npy is missing"),
        (change_dtype, r"field `shape` of split `train` is uint8 \[10\] instead of int8 \[10\]"),
        (change_shape, r"field `source` of split `train` is int32 \[2, 10\] instead of int32 \[10, 2\]"),
        (overwrite, "no NumPy array"),
        (forget, "Field `depth` of split `train` is missing"),
    ],
)
def test_damage_is_named_with_the_remedy(packed: Packed, damage: Callable[[Packed], None], message: str) -> None:
    damage(packed)
    with pytest.raises(BenchError, match=message) as caught:
        Packed.open(packed.folder)
    assert str(caught.value).endswith("delete the folder and run `mtl-bench prepare dataset=tiny`.")


@pytest.mark.parametrize("content", [None, "", "[]", '{"name": "tiny"}', '{"fields": {"image": {}}}'])
def test_a_damaged_manifest_is_one_sentence(packed: Packed, content: str | None) -> None:
    if content is None:
        shutil.rmtree(packed.folder)
    else:
        (packed.folder / MANIFEST).write_text(content)
    with pytest.raises(BenchError, match="is missing or damaged; delete the folder"):
        Packed.open(packed.folder)


def test_an_unknown_encoding_is_named_with_its_manifest(packed: Packed) -> None:
    text = (packed.folder / MANIFEST).read_text()
    (packed.folder / MANIFEST).write_text(text.replace('"float"', '{"name": "posit", "bits": 8}'))
    with pytest.raises(BenchError, match=r"manifest\.json: The encoding .*posit.* is unknown; choose among uint8/255"):
        Packed.open(packed.folder)


def test_an_unknown_split_lists_the_known_ones(packed: Packed) -> None:
    with pytest.raises(BenchError, match="no split `test`; it has train, val"):
        packed.arrays("test")


def test_arrays_that_do_not_fit_their_fields_are_refused(packed: Packed, tmp_path: Path) -> None:
    arrays = copies(packed)
    arrays["val"]["shape"] = arrays["val"]["shape"].astype(np.int64)
    with pytest.raises(BenchError, match=r"cannot be packed: field `shape` of split `val` is int64"):
        rewrite(packed, tmp_path / "new", arrays)
    del arrays["val"]["shape"]
    with pytest.raises(BenchError, match="split `val` has no field `shape`"):
        rewrite(packed, tmp_path / "new", arrays)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("label", [-2, -100])
def test_class_numbers_without_a_meaning_are_refused(packed: Packed, tmp_path: Path, label: int) -> None:
    arrays = copies(packed)
    arrays["val"]["shape"][3] = label
    with pytest.raises(BenchError) as refusal:
        rewrite(packed, tmp_path / "new", arrays)
    said = f"cannot be packed: field `shape` of split `val` holds the label {label}; classes count from 0, and -1 is"
    assert said in str(refusal.value)
    assert "`ignore`" in str(refusal.value)
    fields = {**packed.manifest.fields, "shape": Field("int8", (), {"name": "class", "ignore": [label]})}
    manifest = write_packed(tmp_path / "new", "tiny", arrays, fields, "rewritten", {})
    assert manifest.fields["shape"].encoding == fields["shape"].encoding
    assert manifest.targets == packed.manifest.targets


@pytest.mark.parametrize(
    ("field", "number", "says"),
    [
        ("depth", np.inf, "`depth` of split `val` holds inf; labels are finite: store nan where there is none"),
        ("image", -np.inf, "`image` of split `val` holds -inf; every pixel of an image is a finite number"),
        ("image", np.nan, "`image` of split `val` holds nan; every pixel of an image is a finite number"),
    ],
)
def test_numbers_without_a_value_are_refused(
    packed: Packed, tmp_path: Path, field: str, number: float, says: str
) -> None:
    arrays = copies(packed)
    for split in arrays.values():
        split["image"] = split["image"].astype(np.float32)
    arrays["val"][field][3, 0, 1] = number
    fields = {**packed.manifest.fields, "image": Field("float32", (3, 4, 5), "float")}
    with pytest.raises(BenchError, match=says):
        write_packed(tmp_path / "new", "tiny", arrays, fields, "rewritten", {})
    assert not (tmp_path / "new").exists()


def test_a_field_is_stored_in_the_type_of_its_encoding(packed: Packed) -> None:
    with pytest.raises(BenchError, match="'int8/127' is stored as int8, got uint8"):
        Field("uint8", (3, 4, 5), "int8/127")
    with pytest.raises(BenchError, match="'uint9' is unknown; choose among uint8/255"):
        Field("uint8", (3, 4, 5), "uint9")
    with pytest.raises(BenchError, match=r"has the shape \(3, height, width\)"):
        Field("uint8", (4, 5), {"name": "normal"})
    for unsigned in ("uint32", "uint64"):
        with pytest.raises(BenchError, match=f"labels is stored as one of .*int64, .*, got '{unsigned}'"):
            Field(unsigned, (), "class")
        assert Field(unsigned, (), "index").dtype == unsigned
    assert Field(**packed.manifest.fields["depth"].written) == packed.manifest.fields["depth"]


def test_a_manifest_from_before_kinds_opens(packed: Packed) -> None:
    manifest = json.loads((packed.folder / MANIFEST).read_text())
    for field in manifest["fields"].values():
        assert field.pop("kind") == ""
    (packed.folder / MANIFEST).write_text(json.dumps(manifest))
    assert Packed.open(packed.folder) == packed


def test_the_digest_does_not_depend_on_kinds(packed: Packed, tmp_path: Path) -> None:
    fields = {name: replace(field, kind="map") for name, field in packed.manifest.fields.items()}
    manifest = write_packed(tmp_path / "kinds", "tiny", copies(packed), fields, "rewritten", {})
    assert manifest.digest == packed.digest
    assert {field.kind for field in manifest.fields.values()} == {"map"}


def test_unknown_kinds_and_normals_without_three_channels_are_refused() -> None:
    with pytest.raises(BenchError, match="one of '', 'map', 'depth', 'normal', got 'flow'"):
        Field("float16", (2, 4, 5), "float", kind="flow")
    for shape in ((2, 4, 5), (3,)):
        with pytest.raises(BenchError, match=r"has the shape \(3, height, width\)"):
            Field("int8", shape, "int8/127", kind="normal")
