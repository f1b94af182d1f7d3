"""What stands once for all readers of official files: completeness, parallel reading, skipping, continuing."""

import io
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data import stream
from mtl_bench.data.dataset import prepare
from mtl_bench.data.official import Packing
from mtl_bench.data.official.told import table_of
from mtl_bench.data.packed import Packed
from mtl_bench.data.stream import STATE
from mtl_bench.errors import BenchError
from tests.data.tiles import Tiles, write_tiles

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tiles(tmp_path / "source")


@pytest.fixture(autouse=True)
def _few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CHUNK", 3 * (16 * 16 * 7 + 4))


def pack(root: Path, source: Path, dataset: Tiles | None = None, **packing: object) -> Packed:
    dataset = dataset or Tiles()
    return prepare(dataset, root, source, partial(dataset.pack, packing=Packing(**packing)))  # type: ignore[arg-type]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_read_is_packed_in_order(tmp_path: Path, source: Path, workers: int) -> None:
    packed = pack(tmp_path / "data", source, workers=workers)
    assert packed.manifest.splits == {"train": 12, "test": 6}
    for split, size in packed.manifest.splits.items():
        arrays = packed.arrays(split)
        assert arrays["row"].tolist() == list(range(size))
        for kind in ("image", "depth"):
            expected = np.stack([np.load(source / split / kind / f"{row}.npy") for row in range(size)])
            np.testing.assert_array_equal(arrays[kind], expected)
    assert packed.manifest.label == ""
    assert "skipped" not in json.loads((packed.folder / "manifest.json").read_text())


def test_a_sample_that_is_missing_is_named_with_its_remedy(tmp_path: Path, source: Path) -> None:
    (source / "train" / "depth" / "4.npy").unlink()
    (source / "test" / "image" / "1.npy").unlink()
    with pytest.raises(BenchError, match=r"depth/4\.npy is missing; download depths\.zip from Tilers\. .*1 other"):
        pack(tmp_path / "data", source)
    assert not list((tmp_path / "data").rglob("*.npy"))
    packed = pack(tmp_path / "data", source, on_error="skip")
    assert packed.manifest.splits == {"train": 11, "test": 5}
    assert packed.arrays("train")["row"].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert packed.manifest.label == "2 samples left out as missing or unreadable"
    assert len(packed.manifest.skipped["train"]) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sample_that_is_damaged_ends_or_is_skipped(tmp_path: Path, source: Path, workers: int) -> None:
    for row in (0, 7, 11):
        truncate(source / "train" / "image" / f"{row}.npy")
    with pytest.raises(BenchError, match=r"Sample train/0: .*image/0\.npy is no NumPy file .*download tiles\.zip"):
        pack(tmp_path / "data", source, workers=workers)
    packed = pack(tmp_path / "data", source, workers=workers, on_error="skip")
    kept = [row for row in range(12) if row not in (0, 7, 11)]
    assert packed.arrays("train")["row"].tolist() == kept
    expected = np.stack([np.load(source / "train" / "depth" / f"{row}.npy") for row in kept])
    np.testing.assert_array_equal(packed.arrays("train")["depth"], expected)
    np.save(tmp_path / "numpy.npy", expected)
    assert (packed.folder / "train.depth.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    assert [sentence[:15] for sentence in packed.manifest.skipped["train"]] == [
        "Sample train/0:",
        "Sample train/7:",
        "Sample train/11",
    ]
    packed.verify()


def test_what_was_finished_is_kept_and_a_repaired_file_is_read(tmp_path: Path, source: Path) -> None:
    """Also where samples were skipped: asked to be complete, it goes back to the first one that was left out."""
    whole = pack(tmp_path / "whole", source)
    path = source / "train" / "image" / "9.npy"
    content = path.read_bytes()
    truncate(path)
    with pytest.raises(BenchError, match="Sample train/9"):
        pack(tmp_path / "data", source)
    started = next((tmp_path / "data" / "packed").glob(".*.started"))
    assert json.loads((started / STATE).read_text())["done"] == {"train": 9}
    late = source / "test" / "image" / "5.npy"
    kept = late.read_bytes()
    late.write_bytes(b"nothing")
    with pytest.raises(BenchError, match="Sample test/5"):
        _skip_train(tmp_path / "data", source)
    path.write_bytes(content)
    late.write_bytes(kept)
    assert pack(tmp_path / "data", source).digest == whole.digest


def _skip_train(root: Path, source: Path) -> None:
    """Leaves out what is damaged in train, then breaks off in test."""
    original = stream.Stream._made

    def made(self: stream.Stream, split: str, *rest: object) -> object:
        self.on_error = "skip" if split == "train" else "raise"
        return original(self, split, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream.Stream, "_made", made)
        pack(root, source, on_error="skip")


def test_a_limit_is_another_folder(tmp_path: Path, source: Path) -> None:
    few, whole = pack(tmp_path, source, Tiles(limit=5)), pack(tmp_path, source)
    assert few.folder != whole.folder
    assert few.manifest.splits == {"train": 5, "test": 5}
    assert few.manifest.label == "the first 5 of every split"
    with pytest.raises(BenchError, match="limit counts samples"):
        Tiles(limit=0)


def test_a_limit_asks_for_so_many_complete_samples_and_no_more(tmp_path: Path, source: Path) -> None:
    """Too few, and the missing ones are named; none at all, and the sentence still says which file it is."""
    (source / "train" / "depth" / "4.npy").unlink()
    few = pack(tmp_path / "data", source, Tiles(limit=6))
    assert few.arrays("train")["row"].tolist() == [0, 1, 2, 3, 5, 6]
    assert few.manifest.label == "the first 6 complete ones of every split"
    with pytest.raises(BenchError, match=r"depth/4\.npy is missing; download depths\.zip from Tilers\. on_error=skip"):
        pack(tmp_path / "data", source, Tiles(limit=12))
    most = pack(tmp_path / "data", source, Tiles(limit=12), on_error="skip")
    assert [len(told) for told in most.manifest.skipped.values()] == [1]
    assert most.manifest.label == "the first 12 of every split, 1 sample left out as missing or unreadable"
    shutil.rmtree(source / "test" / "image")
    with pytest.raises(BenchError, match=r"Split `test` has no complete sample: .*test/image/0\.npy is missing; down"):
        pack(tmp_path / "data", source, Tiles(limit=4), on_error="skip")


def test_nothing_starts_on_a_disk_that_is_too_small(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=64 << 20))
    with pytest.raises(BenchError, match=r"tiles needs 0\.0 MB in .*packed and 67\.1 MB are free; free some or"):
        pack(tmp_path / "data", source)
    assert not (tmp_path / "data").exists()


def test_the_table_counts_files(tmp_path: Path, source: Path) -> None:
    from rich.console import Console

    (source / "train" / "depth" / "4.npy").unlink()
    empty(source / "train" / "depth" / "5.npy")
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table_of(Tiles().find(source)))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert ["train", "image", "12", "–", "–"] in lines
    assert ["train", "depth", "10", "1", "1"] in lines


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": "many"}, {"on_error": "ignore"}])
def test_other_values_are_refused(wrong: dict) -> None:
    with pytest.raises(BenchError, match=next(iter(wrong))):
        Packing(**wrong)


def test_a_packed_byte_that_changed_is_found(tmp_path: Path, source: Path) -> None:
    packed = pack(tmp_path, source)
    packed.verify()
    path = packed.folder / "test.image.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    Packed.open(packed.folder)  # sizes are right
    with pytest.raises(BenchError, match=r"test\.image\.npy has changed since it was packed.*prepare dataset=tiles"):
        packed.verify()
