"""Parquet copies of MTAN's arrays: rows are read back exactly, in any order, and what is wrong with a file is said."""

from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.benchmarks.mtan_parquet import CityscapesParquet, NYUv2Parquet
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats import hub_copy, parquet_rows
from mtl_bench.data.formats.parquet_rows import as_array, read_row
from mtl_bench.data.official import Packing
from mtl_bench.data.packed import Packed
from mtl_bench.data.sources import SourceFile
from mtl_bench.errors import BenchError
from tests.data.hub_files import nested, pa, write_copy, write_shards


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nyuv2_parquet", "cityscapes_parquet"):
        monkeypatch.setitem(hub_copy.COPIES[name].counts, "train", 5)  # type: ignore[arg-type]
        monkeypatch.setitem(hub_copy.COPIES[name].counts, "test", 2)  # type: ignore[arg-type]


def test_every_field_of_nyuv2_is_the_columns(tmp_path: Path) -> None:
    written = write_copy(tmp_path / "source", "nyuv2", {"train": 5, "val": 2})
    packed = prepare(NYUv2Parquet(), tmp_path, tmp_path / "source")
    assert packed.manifest.label == "tanganke's copy of MTAN's NYUv2"
    for split, part in (("train", "train"), ("test", "val")):
        arrays = packed.arrays(split)
        assert arrays["frame"].tolist() == list(range(len(written[part]["image"])))
        np.testing.assert_array_equal(arrays["image"], written[part]["image"])
        np.testing.assert_array_equal(arrays["depth"], written[part]["depth"])
        np.testing.assert_array_equal(arrays["segmentation"], written[part]["labels"])
        normal = written[part]["normal"].copy()
        normal[:, :, :5] = np.nan
        np.testing.assert_array_equal(arrays["normal"], normal)


@pytest.mark.parametrize("classes", [7, 19])
def test_every_field_of_cityscapes_is_the_columns(tmp_path: Path, classes: int) -> None:
    written = write_copy(tmp_path / "source", "cityscapes", {"train": 5, "validation": 2}, shards=1)
    packed = prepare(CityscapesParquet(classes=classes), tmp_path, tmp_path / "source")  # type: ignore[arg-type]
    for split, part in (("train", "train"), ("test", "validation")):
        arrays = packed.arrays(split)
        np.testing.assert_array_equal(arrays["image"], written[part]["image"])
        np.testing.assert_array_equal(arrays["depth"], written[part]["depth"])
        np.testing.assert_array_equal(arrays["segmentation"], np.minimum(written[part]["labels"], classes - 1))


def test_held_out_rows_are_those_of_the_split(tmp_path: Path) -> None:
    written = write_copy(tmp_path / "source", "nyuv2", {"train": 5, "val": 2})
    packed = prepare(NYUv2Parquet(val=2), tmp_path, tmp_path / "source")
    frames = {split: packed.arrays(split)["frame"].tolist() for split in ("train", "val")}
    assert sorted(frames["train"] + frames["val"]) == list(range(5))
    for split, rows in frames.items():
        np.testing.assert_array_equal(packed.arrays(split)["image"], written["train"]["image"][rows])


@pytest.mark.parametrize("gone", [[0], [1], [0, 2]])
def test_what_is_missing_changes_no_row_that_is_held_out(tmp_path: Path, gone: list[int]) -> None:
    written = write_copy(tmp_path, "nyuv2", {"train": 5, "val": 2}, shards=3)
    whole = {
        split: [one.name for one in samples] for split, samples in NYUv2Parquet(val=3).find(tmp_path).splits.items()
    }
    for shard in gone:
        (tmp_path / "data" / f"train-{shard:05d}-of-00003.parquet").unlink()
    lost = {f"train/{row}" for shard in gone for row in range(5)[2 * shard : 2 * shard + 2]}
    NYUv2Parquet(val=3).pack(tmp_path / "packed", tmp_path, tmp_path, Packing(on_error="skip"))
    packed = Packed.open(tmp_path / "packed")
    for split in ("train", "val"):
        frames = packed.arrays(split)["frame"].tolist()
        assert [f"train/{frame}" for frame in frames] == [name for name in whole[split] if name not in lost]
        np.testing.assert_array_equal(packed.arrays(split)["image"], written["train"]["image"][frames])


def test_rows_are_read_in_any_order(tmp_path: Path) -> None:
    """Forwards within a group, over the edge of one, back, and the same again."""
    values = np.arange(7 * 3 * 4, dtype=np.int64).reshape(7, 3, 4)
    write_shards(tmp_path, "train", {"a": nested(values)}, 1, group=3)
    path = tmp_path / "train-00000-of-00001.parquet"
    for row in (0, 2, 3, 6, 6, 1, 4, 0):
        found = as_array(read_row(path, row, ("a",), "download")["a"], SourceFile(path), (3, 4))
        np.testing.assert_array_equal(found, values[row])


def test_what_is_missing_is_said_or_left_out(tmp_path: Path) -> None:
    write_copy(tmp_path, "nyuv2", {"train": 5, "val": 2})
    gone = tmp_path / "data" / "train-00001-of-00002.parquet"
    content = gone.read_bytes()
    gone.unlink()
    said = r"train-00001-of-00002.parquet is missing; download it again from huggingface.co/datasets/tanganke/nyuv2"
    with pytest.raises(BenchError, match=said):
        prepare(NYUv2Parquet(), tmp_path / "data", tmp_path)
    NYUv2Parquet().pack(tmp_path / "packed", tmp_path, tmp_path, Packing(on_error="skip"))
    manifest = Packed.open(tmp_path / "packed").manifest
    assert manifest.splits == {"train": 3, "test": 2}
    assert manifest.label == "tanganke's copy of MTAN's NYUv2, 2 samples left out as missing or unreadable"
    gone.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(BenchError, match=r"00001-of-00002.parquet is truncated, damaged or no parquet .*; download"):
        prepare(NYUv2Parquet(), tmp_path / "data", tmp_path)
    gone.write_bytes(content)
    assert NYUv2Parquet().find(tmp_path).counts == {"train": 5, "test": 2}


def test_other_columns_and_shapes_are_said(tmp_path: Path) -> None:
    written = write_copy(tmp_path / "a", "cityscapes", {"train": 5, "validation": 2})
    columns = {name: nested(written["train"][name]) for name in ("image", "depth")}
    columns["segmentation_19"] = nested(written["train"]["labels"])
    write_shards(tmp_path / "a" / "data", "train", columns, 2)
    with pytest.raises(BenchError, match="has no column `segmentation_7` but image, depth, segmentation_19; download"):
        prepare(CityscapesParquet(), tmp_path, tmp_path / "a")
    columns["image"] = nested(written["train"]["image"].transpose(0, 2, 3, 1))
    write_shards(tmp_path / "a" / "data", "train", columns, 2)
    with pytest.raises(BenchError, match=r"shape \(128, 256, 3\) instead of \(3, 128, 256\); download"):
        prepare(CityscapesParquet(classes=19), tmp_path, tmp_path / "a")


def test_more_rows_than_the_copy_has_are_another_dataset(tmp_path: Path) -> None:
    write_copy(tmp_path, "nyuv2", {"train": 6, "val": 2})
    with pytest.raises(BenchError, match="holds 6 samples of `train` instead of 5; download"):
        prepare(NYUv2Parquet(), tmp_path, tmp_path)


def test_a_row_without_numbers_is_said(tmp_path: Path) -> None:
    rows = pa.array([[[1.0, None]], [[1.0, 2.0], [3.0]]])
    write_shards(tmp_path, "train", {"a": rows}, 1)
    path = tmp_path / "train-00000-of-00001.parquet"
    for row, shape in ((0, (1, 2)), (1, (2, 2))):
        with pytest.raises(BenchError, match=r"holds an array of shape"):
            as_array(read_row(path, row, ("a",), "download")["a"], SourceFile(path), shape)


def test_without_pyarrow_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    imported = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return imported(name, *rest, **more)  # type: ignore[arg-type]

    write_shards(tmp_path, "train", {"a": pa.array([1])}, 1)
    parquet_rows._rows.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BenchError, match=r"is a parquet file, which needs .*: pip install 'mtl-bench\[parquet\]'"):
        NYUv2Parquet().find(tmp_path)
