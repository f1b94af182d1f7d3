"""CIFAR-100's Python version: two pickles with images as rows of bytes and two labels each."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from mtl_bench.data.formats.array_pickle import read_arrays
from mtl_bench.data.sources import SourceFile

FILES = ("train", "test")
FOLDER = "cifar-100-python"
REMEDY = "download cifar-100-python.tar.gz from the CIFAR page of the University of Toronto and unpack it"
FINE, COARSE = 100, 20
SIDE = 32
Content = tuple[UInt8[np.ndarray, "images 3 32 32"], Int64[np.ndarray, "images"], Int64[np.ndarray, "images"]]


@lru_cache(maxsize=2)
def read_cifar(path: Path) -> Content:
    """Images, which of 100 classes and which of 20 superclasses. Raises BenchError for another file."""
    file, content = SourceFile(path, REMEDY), read_arrays(path, REMEDY)
    with file.structure("no file of CIFAR-100"):
        images = np.asarray(content["data"])
        fine, coarse = (np.array(content[f"{name}_labels"], np.int64) for name in ("fine", "coarse"))
    right = images.shape == (len(fine), 3 * SIDE**2) and images.dtype == np.uint8 and fine.shape == coarse.shape
    right = right and len(fine) > 0 and bool(fine.min() >= 0 and fine.max() < FINE)
    file.require(right, f"does not hold rows of {3 * SIDE**2} bytes with one of {FINE} classes each")
    return images.reshape(-1, 3, SIDE, SIDE), fine, coarse
