"""IDX files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.formats.idx import find_or_download, read_idx, read_official
from mtl_bench.errors import BenchError

ARRAY = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_reads_plain_and_gzipped(tmp_path: Path, write_idx: Callable[..., Path], name: str) -> None:
    np.testing.assert_array_equal(read_idx(write_idx(tmp_path / name, ARRAY)), ARRAY)


@pytest.mark.parametrize("magic", [0x0D03, 0x10803, 0x800])
def test_refuses_another_magic_number(tmp_path: Path, write_idx: Callable[..., Path], magic: int) -> None:
    with pytest.raises(BenchError, match="magic number is wrong"):
        read_idx(write_idx(tmp_path / "images", ARRAY, magic))


@pytest.mark.parametrize(
    ("keep", "message"), [(0, "magic"), (3, "magic"), (10, "magic"), (30, "should hold 24 values but holds 14")]
)
def test_refuses_a_truncated_file(tmp_path: Path, write_idx: Callable[..., Path], keep: int, message: str) -> None:
    for name in ("images", "images.gz"):
        with pytest.raises(BenchError, match=message):
            read_idx(write_idx(tmp_path / name, ARRAY, keep=keep))


def test_refuses_a_truncated_archive(tmp_path: Path, write_idx: Callable[..., Path]) -> None:
    path = write_idx(tmp_path / "images.gz", ARRAY)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(BenchError, match="truncated or damaged"):
        read_idx(path)


def test_refuses_a_missing_file_and_another_sum(tmp_path: Path, write_idx: Callable[..., Path]) -> None:
    with pytest.raises(BenchError, match="cannot be read"):
        read_idx(tmp_path / "absent")
    with pytest.raises(BenchError, match="MD5 differs"):
        read_idx(write_idx(tmp_path / "images", ARRAY), "md5:" + "0" * 32)


@pytest.mark.parametrize("place", ["", "mnist", "MNIST/raw"])
def test_finds_the_files_in_every_usual_layout(tmp_path: Path, official: Path, place: str) -> None:
    folder = tmp_path / "source" / place
    folder.parent.mkdir(parents=True, exist_ok=True)
    (official / "mnist").rename(folder)
    assert find_or_download("mnist", [tmp_path / "elsewhere", tmp_path / "source"]) == folder


def test_a_mix_up_of_the_two_datasets_is_noticed(shared_data: Path) -> None:
    with pytest.raises(BenchError, match="not the official file"):
        read_official("fashion", [shared_data / "mnist"])


@pytest.mark.parametrize("labels", ["fashion/train", "mnist/t10k"])
def test_images_with_the_labels_of_others_are_noticed(tmp_path: Path, shared_data: Path, labels: str) -> None:
    for file in (shared_data / "mnist").glob("*.gz"):
        (tmp_path / file.name).symlink_to(file)
    mixed = tmp_path / "train-labels-idx1-ubyte.gz"
    mixed.unlink()
    mixed.symlink_to(shared_data / f"{labels}-labels-idx1-ubyte.gz")
    with pytest.raises(BenchError, match=r"train-labels.* is not the official file"):
        read_official("mnist", [tmp_path])


def test_real_files(shared_data: Path) -> None:
    images, labels = read_official("mnist", [shared_data])["test"]
    assert images.shape == (10000, 28, 28)
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]
