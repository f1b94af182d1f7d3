"""The Multi-MNIST that needs no file."""

from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.dataset import prepare
from mtl_bench.data.digits import MultiDigits, load_digits
from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def test_splits_share_no_digit(root: Path) -> None:
    packed = prepare(MultiDigits(), root)
    assert packed.manifest.splits == {"train": 4788, "val": 800, "test": 1600}
    sources = [set(packed.arrays(split)["pair"].ravel()) for split in packed.manifest.splits]
    assert len(set.union(*sources)) == sum(map(len, sources)) == 1797
    _, labels = load_digits()
    for split in packed.manifest.splits:
        stored = packed.arrays(split)
        np.testing.assert_array_equal(np.stack([stored["left"], stored["right"]], 1), labels[stored["pair"]])


def test_grey_values_span_the_range() -> None:
    images, _ = load_digits()
    assert [images.min(), images.max(), len(np.unique(images))] == [0, 255, 17]


def test_the_data_seed_fixes_the_digest(root: Path, tmp_path: Path) -> None:
    digest = prepare(MultiDigits(), root).digest
    assert prepare(MultiDigits(), tmp_path).digest == digest
    assert prepare(MultiDigits(data_seed=1), root).digest != digest


def test_partial_hides_a_third_of_each_task_and_nothing_else(root: Path) -> None:
    full, partial = (prepare(MultiDigits(labels=labels), root) for labels in ("full", "partial"))
    whole, holes = full.arrays("train"), partial.arrays("train")
    np.testing.assert_array_equal(whole["image"], holes["image"])
    table = Split(partial, ["train"], ["left", "right"], "cpu").labelled
    assert table is not None
    for column, task in enumerate(("left", "right")):
        seen = table[:, column]
        np.testing.assert_array_equal(holes[task], np.where(seen, whole[task], -1))
        assert 0.63 < seen.mean() < 0.70
    assert table.any(axis=1).all()
    assert Split(partial, ["val", "test"], ["left", "right"], "cpu").labelled is None
    assert Split(full, ["train"], ["left", "right"], "cpu").labelled is None


def test_labels_are_full_or_partial() -> None:
    with pytest.raises(BenchError, match="labels is one of full, partial; got 'some'"):
        MultiDigits(labels="some")  # type: ignore[arg-type]
