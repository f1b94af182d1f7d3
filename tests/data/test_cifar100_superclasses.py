"""CIFAR-100 as twenty tasks: every image labelled for one, as the official files have it."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl_bench.data.cifar100_superclasses import NAMES, PLACE, SUPERCLASS, CIFAR100Superclasses
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.cifar_pickle import read_cifar
from mtl_bench.data.packed import Packed
from mtl_bench.errors import BenchError
from tests.data.cifar_files import write_cifar


@pytest.fixture(autouse=True)
def _fresh() -> None:
    read_cifar.cache_clear()


def check(packed: Packed, split: str, content: dict[str, Any]) -> None:
    """Against the pickle as any script reads it."""
    arrays = packed.arrays(split)
    rows = arrays["row"]
    planes = np.asarray(content["data"])[rows].reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(arrays["image"], planes)
    fine, coarse = (np.array(content[name])[rows] for name in ("fine_labels", "coarse_labels"))
    np.testing.assert_array_equal(arrays["fine"], fine)
    for task, name in enumerate(NAMES):
        members = [number for number in range(100) if SUPERCLASS[number] == task]
        expected = [members.index(number) if task == own else -1 for number, own in zip(fine, coarse, strict=True)]
        assert arrays[name].tolist() == expected


def test_the_table_has_five_classes_per_superclass() -> None:
    assert [SUPERCLASS.count(task) for task in range(20)] == [5] * 20
    assert sorted(zip(SUPERCLASS, PLACE, strict=True)) == [(task, place) for task in range(20) for place in range(5)]


def test_every_field_is_the_files(tmp_path: Path) -> None:
    made = write_cifar(tmp_path / "source", {"train": 120, "test": 30})
    packed = prepare(CIFAR100Superclasses(val=20), tmp_path, tmp_path / "source")
    assert packed.manifest.splits == {"train": 100, "val": 20, "test": 30}
    assert packed.manifest.label == "a part of CIFAR-100, 120 + 30 images"
    for split in packed.manifest.splits:
        check(packed, split, made["test" if split == "test" else "train"])
    assert len({*packed.arrays("train")["row"].tolist(), *packed.arrays("val")["row"].tolist()}) == 120


def test_the_real_files_are_read(tmp_path: Path, shared_data: Path) -> None:
    source = shared_data / "cifar100"
    packed = prepare(CIFAR100Superclasses(limit=150), tmp_path, source)
    for split in ("train", "test"):
        with (source / "cifar-100-python" / split).open("rb") as file:
            check(packed, split, pickle.load(file, encoding="latin1"))
    with (source / "cifar-100-python" / "meta").open("rb") as file:
        names = pickle.load(file, encoding="latin1")["coarse_label_names"]
    assert [name.replace("-", "_") for name in names] == list(NAMES)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"coarse_labels": [0] * 9}, "puts classes into other superclasses than the 20 official; download cifar-100"),
        ({"data": np.zeros((9, 3071), np.uint8)}, "does not hold rows of 3072 bytes with one of 100 classes each"),
        ({"fine_labels": [100] * 9}, "does not hold rows of 3072 bytes with one of 100"),
        ({"fine_labels": "none"}, r"is no file of CIFAR-100 \(.*\); download"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    write_cifar(tmp_path, {"train": 9, "test": 9}, **changes)
    with pytest.raises(BenchError, match=said):
        prepare(CIFAR100Superclasses(), tmp_path, tmp_path / "cifar-100-python")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_cifar(tmp_path, {"train": 9})
    with pytest.raises(BenchError, match=r"cifar-100-python/test is missing; download cifar-100-python\.tar\.gz from"):
        prepare(CIFAR100Superclasses(), tmp_path, tmp_path)
