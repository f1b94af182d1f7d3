"""Multi-MNIST and its relatives: two overlapping images, one classification task each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int32, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.formats.idx import CLASSES, Official, read_official
from mtl_bench.data.packed import Field, Manifest, Samples, write_packed
from mtl_bench.errors import BenchError

CHUNK = 1000  # images resized at once: the canvas stays in the cache and memory stays flat


@dataclass(frozen=True)
class Layout:
    """Pixels: from the left image to the right one, down and across; per side of the canvas; per side once resized."""

    offset: int
    canvas: int
    size: int


LAYOUT = Layout(offset=6, canvas=36, size=28)


@dataclass(frozen=True)
class Pairs(Dataset):
    """Two 28×28 images on a 36×36 canvas, resized to 28×28; tasks `left` and `right`, ten classes each.

    The left image fills rows and columns 0..27, the right one 6..33; where they overlap the brighter pixel wins, as in
    MGDA (Sener & Koltun 2018). Resizing is bilinear with antialiasing: MGDA's code used nearest neighbour and rescaled
    intensities, PaMaL's bicubic, so accuracies are comparable within one of these choices only.

    `left` and `right` are `mnist` or `fashion`. Each left image of a split appears once, with a right partner drawn
    from the same split. `val` images of each source are held out of the official training files *before* pairing, so
    no source image serves two splits. `data_seed` fixes held-out images and partners; the field `pair` stores the
    positions of both in their official file. The usual normalisation, mean 0.1307 and std 0.3081, belongs to the
    protocol.

    Raises BenchError for an unknown source or a `val` that leaves no training image.
    """

    name: str
    left: str
    right: str
    data_seed: int = 0
    val: int = 6000

    def __post_init__(self) -> None:
        for side in (self.left, self.right):
            if side not in CLASSES:
                raise BenchError(f"Dataset {self.name} cannot pair `{side}`; choose among {', '.join(CLASSES)}.")

    @property
    def fields(self) -> Mapping[str, Field]:
        return pair_fields(LAYOUT.size, "uint8")

    def pack(self, folder: Path, raw: Path, source: Path | None) -> Manifest:
        folders = [raw] if source is None else [source, raw]
        official = {name: read_official(name, folders) for name in sorted({self.left, self.right})}
        draw = np.random.RandomState(self.data_seed)  # its streams are frozen for good, those of Generator are not
        parts = {name: self._hold_out(images, draw) for name, images in official.items()}
        splits = {
            split: self._samples(official, split, draw_pairs(parts[self.left][split], parts[self.right][split], draw))
            for split in parts[self.left]
        }
        described = " and ".join(CLASSES[name] for name in official) + ", official IDX files"
        return write_packed(folder, self.name, splits, self.fields, described, self.parameters)

    def _hold_out(self, official: Official, draw: np.random.RandomState) -> dict[str, np.ndarray]:
        """Positions in the official files that belong to each split."""
        train, test = (len(official[part][1]) for part in ("train", "test"))
        if not 0 <= self.val < train:
            raise BenchError(f"Dataset {self.name} has {train} training images; val={self.val} cannot be held out.")
        order = draw.permutation(train)
        parts = {"train": order[self.val :], "val": order[: self.val], "test": np.arange(test)}
        return {split: np.sort(positions) for split, positions in parts.items() if len(positions)}

    def _samples(self, official: dict[str, Official], split: str, pairs: Int32[np.ndarray, "n 2"]) -> Samples:
        part = "test" if split == "test" else "train"
        left, right = official[self.left][part], official[self.right][part]

        def read(rows: range) -> dict[str, np.ndarray]:
            chosen = pairs[rows.start : rows.stop]
            image = compose(left[0], right[0], chosen, LAYOUT)
            return {"image": image, "left": left[1][chosen[:, 0]], "right": right[1][chosen[:, 1]], "pair": chosen}

        return Samples(len(pairs), read)


def pair_fields(size: int, label: str) -> dict[str, Field]:
    """The fields of a dataset of pairs: grey images of size × size, labels stored as NumPy type `label`."""
    return {
        "image": Field("uint8", (1, size, size), "uint8/255"),
        "left": Field(label, (), "class"),
        "right": Field(label, (), "class"),
        "pair": Field("int32", (2,), "index"),
    }


def draw_pairs(
    left: Int64[np.ndarray, "n"], right: Int64[np.ndarray, "m"], draw: np.random.RandomState
) -> Int32[np.ndarray, "n 2"]:
    """Every left position with a random right one."""
    partners = right[draw.randint(len(right), size=len(left), dtype=np.int64)]
    return np.stack([left, partners], axis=1).astype(np.int32)


def compose(
    left: UInt8[np.ndarray, "n side side"],
    right: UInt8[np.ndarray, "m side side"],
    pairs: Int32[np.ndarray, "k 2"],
    layout: Layout,
) -> UInt8[np.ndarray, "k 1 size size"]:
    """The image of every pair, overlaid and resized."""
    images = np.empty((len(pairs), 1, layout.size, layout.size), np.uint8)
    for start in range(0, len(pairs), CHUNK):
        chosen = pairs[start : start + CHUNK]
        canvas = overlay(torch.from_numpy(left[chosen[:, 0]]), torch.from_numpy(right[chosen[:, 1]]), layout)
        images[start : start + CHUNK] = resize(canvas, layout.size).numpy()
    return images


def overlay(
    left: UInt8[Tensor, "n side side"], right: UInt8[Tensor, "n side side"], layout: Layout
) -> UInt8[Tensor, "n canvas canvas"]:
    """Left images from the top left corner, right ones `offset` further, on black; the brighter pixel on top."""
    count, side, _ = left.shape
    canvas = left.new_zeros(count, layout.canvas, layout.canvas)
    canvas[:, :side, :side] = left
    place = slice(layout.offset, layout.offset + side)
    canvas[:, place, place] = torch.maximum(canvas[:, place, place], right)
    return canvas


def resize(canvas: UInt8[Tensor, "n canvas canvas"], size: int) -> UInt8[Tensor, "n 1 size size"]:
    """Bilinear with antialiasing, rounded to the nearest integer, halves up.

    Exact values are fractions with small denominators (below 600 here), so halves occur and float noise would round
    them differently on different machines; 2⁻¹² is above the noise and below the smallest distance to a half.
    """
    exact = F.interpolate(canvas[:, None].double(), size=(size, size), mode="bilinear", antialias=True)
    return exact.add_(0.5 + 2**-12).floor_().byte()
