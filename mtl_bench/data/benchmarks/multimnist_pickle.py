"""The Multi-MNIST pairs that Lin et al. share as pickles, the copy that ParetoMTL, PHN and Recon train on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Integer, Shaped

from mtl_bench.data.benchmarks.whole_files import WholeFiles, find_file, numbered
from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.array_pickle import read_arrays
from mtl_bench.data.official import Inventory, Sample, Tally
from mtl_bench.data.sources import SourceFile
from mtl_bench.errors import check_choices

SIDE = 36
CLASSES = 10
Part = tuple[Shaped[np.ndarray, "pairs 36 36"], Integer[np.ndarray, "pairs 2"]]


@dataclass(frozen=True, kw_only=True)
class MultiMNISTPickle(WholeFiles):
    """One of the three pickles of ParetoMTL (Lin et al., NeurIPS 2019): 120,000 training and 20,000 test pairs.

    `which` is `mnist`, `fashion` or `fashion_and_mnist` (the digit top left). Images have 36×36 pixels; their numbers
    are kept in float32, divided by 255 where they go beyond 1. The fields `left` and `right` are those of our own
    pairs, `row` is the position in the file. `val` training pairs, drawn with `data_seed`, are held out; their images
    are not, since the training pairs share the 60,000 images of a source.
    """

    name: str = "multimnist_pickle"
    which: Literal["mnist", "fashion", "fashion_and_mnist"] = "mnist"
    val: int = 0
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, f"Dataset {self.name}: ")

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("float32", (1, SIDE, SIDE), "float"),
            "left": Field("uint8", (), "class"),
            "right": Field("uint8", (), "class"),
            "row": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        path = find_file(folder, f"multi_{self.which}.pickle")
        variant = f"Lin et al.'s pickle {path.name}"
        if not path.is_file():
            missing = [f"{path} is missing; {pickle_remedy(path)}."]
            return Inventory(variant, {}, [Tally("", path.name, 0, 1)], fatal=missing, variant=variant)
        counts = {part: len(labels) for part, (_, labels) in read_pairs(path).items()}
        samples = numbered({part: (path, count) for part, count in counts.items()}, self.val, self.data_seed)
        tallies = [Tally(split, "pairs", len(found)) for split, found in samples.items()]
        return Inventory(variant, samples, tallies, variant=variant)

    def read(self, sample: Sample) -> Arrays:
        ((part, path),) = sample.files.items()
        images, labels = read_pairs(path)[part]
        image = images[sample.row].astype(np.float32)
        left, right = labels[sample.row].astype(np.uint8)
        row = np.array(sample.row, np.int32)
        return {"image": image[None] / largest(path), "left": left, "right": right, "row": row}


def pickle_remedy(path: Path) -> str:
    return f"download {path.name} by the link in multiMNIST/data of github.com/Xi-L/ParetoMTL"


@lru_cache(maxsize=1)
def read_pairs(path: Path) -> dict[str, Part]:
    """Images and labels of `train` and `test`. Raises BenchError for a file that holds anything else."""
    file, content = SourceFile(path, pickle_remedy(path)), read_arrays(path, pickle_remedy(path))
    right = isinstance(content, list | tuple) and len(content) == 4
    file.require(right, "does not hold four arrays: images and labels of training, then of test")
    parts = {}
    for part, images, labels in (("train", *content[:2]), ("test", *content[2:])):
        file.require(_is_pairs(images, labels), f"does not hold {part} images of 36×36 pixels with two digits each")
        parts[part] = images.reshape(-1, SIDE, SIDE), labels
    return parts


@lru_cache(maxsize=1)
def largest(path: Path) -> np.float32:
    """What stands for white: 1, or 255 where numbers go beyond 1."""
    return np.float32(255 if max(images.max() for images, _ in read_pairs(path).values()) > 1 else 1)


def _is_pairs(images: Any, labels: Any) -> bool:
    if not isinstance(images, np.ndarray) or not isinstance(labels, np.ndarray) or labels.ndim != 2 or not labels.size:
        return False
    shaped = labels.shape[1] == 2 and images.size == len(labels) * SIDE**2 and images.dtype.kind in "uif"
    return bool(shaped and images.min() >= 0 and images.max() <= 255 and labels.min() >= 0 and labels.max() < CLASSES)
