"""Overlapping pairs of scikit-learn's bundled digits: a Multi-MNIST that needs no file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int8, Int64, UInt8

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.packed import Field, Manifest, write_packed
from mtl_bench.data.pairs import Layout, compose, draw_pairs, pair_fields
from mtl_bench.errors import check_choices

# Two 8×8 digits overlap about as much as in Multi-MNIST. A LeNet reaches accuracies 0.86 / 0.88 on 24×24 in 600 steps
# of 64 samples; on 16×16 it stays at 0.71 / 0.77.
LAYOUT = Layout(offset=2, canvas=10, size=24)
REPEATS = 4  # pairs per left digit: few digits, so other partners are the cheapest variety
VAL, TEST = 200, 400  # source digits of 1797
HIDDEN = 1 / 3  # share of training samples that lose the left label; as many others lose the right one


@dataclass(frozen=True)
class MultiDigits(Dataset):
    """Two 8×8 digits on a 10×10 canvas, resized to 24×24; tasks `left` and `right`, ten classes each.

    Composed like `Pairs` from the 1,797 digits of `sklearn.datasets.load_digits`; the splits share no source digit. It
    is a test bench for code paths and says nothing about methods on real images. With `labels="partial"` a third of the
    training samples lack the left label and a third the right one (stored as -1); val and test stay complete, and the
    images are those of `labels="full"`. `data_seed` draws splits and pairs.

    Raises BenchError for another value of `labels`.
    """

    name: str = "multidigits"
    labels: Literal["full", "partial"] = "full"
    data_seed: int = 0

    def __post_init__(self) -> None:
        check_choices(self, f"Dataset {self.name}: ")

    @property
    def fields(self) -> Mapping[str, Field]:
        return pair_fields(LAYOUT.size, "int8")  # signed: -1 is a hidden label

    def pack(self, folder: Path, raw: Path, source: Path | None) -> Manifest:
        images, labels = load_digits()
        draw = np.random.RandomState(self.data_seed)  # frozen streams, see Pairs
        test, val, train = np.split(draw.permutation(len(labels)), [TEST, TEST + VAL])
        arrays = {
            split: _compose(images, labels, np.sort(positions).repeat(REPEATS), draw)
            for split, positions in {"train": train, "val": val, "test": test}.items()
        }
        if self.labels == "partial":
            chance = draw.random_sample(len(arrays["train"]["image"]))  # drawn last: full and partial share all images
            arrays["train"]["left"][chance < HIDDEN] = -1
            arrays["train"]["right"][chance >= 1 - HIDDEN] = -1
        return write_packed(folder, self.name, arrays, self.fields, "sklearn.datasets.load_digits", self.parameters)


def load_digits() -> tuple[UInt8[np.ndarray, "1797 8 8"], Int8[np.ndarray, "1797"]]:
    """Images, with their values 0..16 stretched to 0..255, and classes."""
    from sklearn import datasets  # late: a second of import that only packing needs

    digits = datasets.load_digits()
    return np.rint(digits.images * (255 / 16)).astype(np.uint8), digits.target.astype(np.int8)


def _compose(
    images: UInt8[np.ndarray, "n 8 8"],
    labels: Int8[np.ndarray, "n"],
    left: Int64[np.ndarray, "k"],
    draw: np.random.RandomState,
) -> dict[str, np.ndarray]:
    pairs = draw_pairs(left, np.unique(left), draw)
    composed = compose(images, images, pairs, LAYOUT)
    return {"image": composed, "left": labels[pairs[:, 0]], "right": labels[pairs[:, 1]], "pair": pairs}
