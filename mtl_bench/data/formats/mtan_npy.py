"""The folder that MTAN's authors share: `{train,val}/{image,label,depth,normal}/{i}.npy`, channels last."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int8, Shaped
from numpy.lib.format import open_memmap

from mtl_bench.data.official import Sample
from mtl_bench.data.sources import SourceFile

REMEDY = "download the preprocessed folder again that the MTAN repository (github.com/lorenmt/mtan) links to"


def is_mtan_folder(folder: Path, size: tuple[int, int]) -> bool:
    """Whether the first image of both parts is of that size; NYUv2 and Cityscapes have the same folders."""
    try:
        shapes = [open_memmap(folder / part / "image" / "0.npy", mode="r").shape for part in ("train", "val")]
    except (OSError, ValueError, EOFError):
        return False
    return all(shape[:2] == size for shape in shapes)


def npy_samples(folder: Path, kinds: Mapping[str, str], sizes: Mapping[str, int]) -> dict[str, list[Sample]]:
    """`kinds` are the folders by the fields they hold; the official test set is called `val` there."""
    return {
        split: [
            Sample(f"{part}/{row}", {field: folder / part / kind / f"{row}.npy" for field, kind in kinds.items()}, row)
            for row in range(sizes[split])
        ]
        for split, part in (("train", "train"), ("test", "val"))
    }


def read_planes(path: Path, shape: tuple[int, int, int]) -> Float[np.ndarray, "channels height width"]:
    """One file as float32, which is what every loader of this folder makes of it, channels first."""
    file = SourceFile(path, REMEDY)
    stored = file.array()
    channels, height, width = shape
    allowed = [(height, width, channels)] + ([(height, width)] if channels == 1 else [])
    file.require(stored.shape in allowed, f"holds an array of shape {stored.shape} instead of {allowed[-1]}")
    return np.ascontiguousarray(stored.reshape(height, width, channels).transpose(2, 0, 1), dtype=np.float32)


def read_labels(path: Path, size: tuple[int, int], classes: int) -> Int8[np.ndarray, "height width"]:
    """Classes from 0 on; -1: unlabelled."""
    return as_labels(read_planes(path, (1, *size))[0], classes, SourceFile(path, REMEDY))


def as_labels(labels: Shaped[np.ndarray, "height width"], classes: int, file: SourceFile) -> Int8[np.ndarray, "h w"]:
    """Raises BenchError for numbers that are neither a class nor -1."""
    right = bool(np.isin(labels, np.arange(-1, classes)).all())
    file.require(right, f"holds other labels than -1 to {classes - 1}")
    return labels.astype(np.int8)
