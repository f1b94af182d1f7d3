"""The pickles of Lin et al.: read exactly, whatever wrote them, and never run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.array_pickle import read_arrays
from mtl_bench.data.multimnist_pickle import MultiMNISTPickle, largest, read_pairs
from mtl_bench.errors import BenchError
from tests.data.pickle_files import Trap, drawn_pairs, write_pickle


@pytest.fixture(autouse=True)
def _fresh() -> None:
    read_pairs.cache_clear()
    largest.cache_clear()


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_every_field_is_the_files(tmp_path: Path, kind: type, protocol: int) -> None:
    train, test = drawn_pairs(7, 0, kind), drawn_pairs(3, 1, kind)
    write_pickle(tmp_path / "data" / "multi_fashion.pickle", [*train, *test], protocol)
    packed = prepare(MultiMNISTPickle(which="fashion"), tmp_path, tmp_path)
    assert packed.manifest.label == "Lin et al.'s pickle multi_fashion.pickle"
    assert packed.manifest.splits == {"train": 7, "test": 3}
    for split, (images, labels) in (("train", train), ("test", test)):
        arrays = packed.arrays(split)
        scale = np.float32(255 if kind == np.uint8 else 1)
        np.testing.assert_array_equal(arrays["image"][:, 0], images.astype(np.float32) / scale)
        np.testing.assert_array_equal(np.stack([arrays["left"], arrays["right"]], axis=1), labels)
        assert arrays["row"].tolist() == list(range(len(labels)))


def test_pairs_are_held_out_of_training(tmp_path: Path) -> None:
    write_pickle(tmp_path / "multi_mnist.pickle", [*drawn_pairs(7, 0), *drawn_pairs(3, 1)])
    packed = prepare(MultiMNISTPickle(val=2), tmp_path, tmp_path)
    assert packed.manifest.splits == {"train": 5, "val": 2, "test": 3}
    rows = np.concatenate([packed.arrays(split)["row"] for split in ("train", "val")])
    assert sorted(rows.tolist()) == list(range(7))


def test_a_pickle_that_calls_something_is_refused(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "multi_mnist.pickle", [Trap(tmp_path / "made"), 1, 2, 3])
    with pytest.raises(BenchError, match=r"is no pickle of NumPy arrays \(it wants to call posix\.mkdir\); download"):
        prepare(MultiMNISTPickle(), tmp_path, tmp_path)
    assert not (tmp_path / "made").exists()
    path.write_bytes(b"c_codecs\nencode\n(Va\nVbz2\ntR.")
    with pytest.raises(BenchError, match="it wants to encode as bz2"):
        read_arrays(path, "download it")


IMAGES, LABELS = drawn_pairs(4, 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"multi_mnist\.pickle is missing; download multi_mnist\.pickle by the link in multiMNIST/data of"),
        (b"no pickle", r"is no pickle of NumPy arrays \(.*\); download multi_mnist"),
        ([IMAGES, LABELS], "does not hold four arrays"),
        ([IMAGES[:3], LABELS, IMAGES, LABELS], "does not hold train images of 36×36 pixels with two digits each"),
        ([IMAGES, LABELS, IMAGES, LABELS + 9], "does not hold test images"),
        ([IMAGES, LABELS, IMAGES.astype(object), LABELS], "does not hold test images"),
        ([IMAGES, LABELS, 256 + IMAGES, LABELS], "does not hold test images"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "multi_mnist.pickle"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write_pickle(path, content)
    with pytest.raises(BenchError, match=said):
        prepare(MultiMNISTPickle(), tmp_path, tmp_path)
