"""CelebA: the official files in miniature are read back exactly, and what is wrong with them is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_bench.data.benchmarks.celeba import CelebA
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.celeba_txt import ATTRIBUTES, IMAGES, NAMES, PARTS, read_attributes
from mtl_bench.errors import BenchError
from tests.data.celeba_files import drawn_attributes, write_celeba

PLACES = [0, 0, 2, 1, 0]
ROWS = {"train": [0, 1, 4], "val": [3], "test": [2]}


@pytest.mark.parametrize("size", [64, 20])
def test_every_field_is_the_files(tmp_path: Path, size: int) -> None:
    attributes = drawn_attributes(5)
    write_celeba(tmp_path / "source", attributes, PLACES)
    packed = prepare(CelebA(size=size), tmp_path, tmp_path / "source")
    assert packed.manifest.label == ""
    assert packed.manifest.targets == NAMES
    for split, rows in ROWS.items():
        arrays = packed.arrays(split)
        assert arrays["number"].tolist() == [row + 1 for row in rows]
        for at, row in enumerate(rows):
            face = Image.open(tmp_path / "source" / "Img" / IMAGES / f"{row + 1:06d}.jpg")
            expected = np.asarray(face.resize((size, size), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
            np.testing.assert_array_equal(arrays["image"][at], expected)
            assert [arrays[name][at] for name in NAMES] == [max(0, value) for value in attributes[row]]


def test_real_attributes_are_read_whatever_the_blanks(tmp_path: Path, shared_data: Path) -> None:
    lines = (shared_data / "celeba" / "list_attr_celeba_first5000.txt").read_text().splitlines()[:502]
    write_celeba(tmp_path, drawn_attributes(2), [0, 2])
    path = tmp_path / ATTRIBUTES
    path.write_text("\n".join(["500", *lines[1:]]))
    names, values = read_attributes(path)
    expected = np.loadtxt(lines[2:], dtype=int, usecols=range(1, 41))
    np.testing.assert_array_equal(2 * values - 1, expected)
    assert names[::499] == ("000001.jpg", "000500.jpg")
    assert lines[1].split() == list(NAMES)


def test_files_beside_each_other_and_folders_in_folders(tmp_path: Path) -> None:
    write_celeba(tmp_path, drawn_attributes(5), PLACES)
    (tmp_path / "flat").mkdir()
    (tmp_path / "Anno" / ATTRIBUTES).rename(tmp_path / "flat" / ATTRIBUTES)
    (tmp_path / "Eval" / PARTS).rename(tmp_path / "flat" / PARTS)
    (tmp_path / "flat" / IMAGES).mkdir()
    (tmp_path / "Img" / IMAGES).rename(tmp_path / "flat" / IMAGES / IMAGES)
    assert CelebA().find(tmp_path / "flat").counts == {"train": 3, "val": 1, "test": 1}


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return change


def cut(folder: Path) -> None:
    path = folder / "Img" / IMAGES / "000002.jpg"
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove(f"Anno/{ATTRIBUTES}"), r"celeba\.txt is missing; download Anno/list_attr_celeba\.txt from the CelebA"),
        (remove(f"Eval/{PARTS}"), r"partition\.txt is missing; download Eval/list_eval_partition\.txt from the CelebA"),
        (remove(f"Img/{IMAGES}/000003.jpg"), r"000003\.jpg is missing; download Img/img_align_celeba\.zip from"),
        (cut, r"Sample 000002\.jpg: .*000002\.jpg is no picture .*; download Img/img_align_celeba\.zip"),
        (replace(f"Anno/{ATTRIBUTES}", "5\n", "202599\n"), "holds 5 images and announces 202599; download Anno/"),
        (replace(f"Anno/{ATTRIBUTES}", "Bald ", ""), "does not name the 40 attributes in its line 2; download"),
        (replace(f"Anno/{ATTRIBUTES}", "000004.jpg -1", "000004.jpg 0"), r"does not give 000004\.jpg 40 values of 1"),
        (replace(f"Eval/{PARTS}", "000004.jpg 1", "000004.jpg 3"), "does not put each of the 5 images of list_attr"),
        (replace(f"Eval/{PARTS}", "000001.jpg 0\n", ""), "does not put each of the 5 images of list_attr"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    attributes = drawn_attributes(5)
    attributes[3][0] = -1
    write_celeba(tmp_path / "source", attributes, PLACES)
    damage(tmp_path / "source")
    read_attributes.cache_clear()
    with pytest.raises(BenchError, match=said):
        prepare(CelebA(), tmp_path, tmp_path / "source")


def test_a_size_of_nothing_is_refused() -> None:
    with pytest.raises(BenchError, match="size is in pixels, from 1 on, got 0"):
        CelebA(size=0)
