"""NYU Depth v2 as published: frames in one MATLAB v7.3 (HDF5) file, the split and the 40 classes in two small ones."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Int64, Shaped

from mtl_bench.data.formats.mat_files import read_mat
from mtl_bench.data.sources import SourceFile

FRAMES, SPLITS, CLASSES_40 = "nyu_depth_v2_labeled.mat", "splits.mat", "classMapping40.mat"
PAGE = "the NYU Depth V2 page of New York University (Silberman, Hoiem, Kohli, Fergus)"
REMEDIES = {
    FRAMES: f"download {FRAMES} (2.8 GB) from {PAGE}",
    SPLITS: f"download {SPLITS} from {PAGE}",
    CLASSES_40: f"download {CLASSES_40} from github.com/ankurhanda/nyuv2-meta-data (Gupta et al., 2013)",
}
SIZE = (640, 480)  # MATLAB's order of axes is the reverse of NumPy's
SHAPES = {"images": (3, *SIZE), "depths": SIZE, "rawDepths": SIZE, "labels": SIZE}
NAMES = 894

# The classes of Couprie et al. (2013), 1 to 13 in alphabetical order from bed to window, for the 40 of Gupta et al.
TO_13 = (
    *(12, 5, 6, 1, 4, 9, 10, 12, 13, 6, 8, 6, 13, 10, 6, 13, 6, 7, 7, 5),
    *(7, 3, 2, 6, 11, 7, 7, 7, 7, 7, 7, 6, 7, 7, 7, 7, 7, 7, 6, 7),
)


def check_frames(path: Path) -> int:
    """How many frames the file holds. Raises BenchError for one that is damaged or another one."""
    file = _source(path)
    with file.structure("truncated, damaged or no HDF5 file"):
        shapes = {name: _open(path)[name].shape for name in SHAPES}
    count = shapes["images"][0]
    for name, shape in shapes.items():
        file.require(shape == (count, *SHAPES[name]), f"holds `{name}` of shape {shape}")
    return count


def read_frame(path: Path, row: int, names: Iterable[str]) -> dict[str, Shaped[np.ndarray, "... 480 640"]]:
    """Some of `images` [3, 480, 640], `depths`, `rawDepths` (m) and `labels` of one frame, counted from 0."""
    with _source(path).structure("damaged"):
        return {name: np.ascontiguousarray(np.swapaxes(_open(path)[name][row], -1, -2)) for name in names}


def read_splits(path: Path, count: int) -> dict[str, Int64[np.ndarray, "frames"]]:
    """Frames of the official `train` and `test`, counted from 1 as the files do."""
    file = _source(path)
    with file.structure("no MATLAB file with trainNdxs and testNdxs"):
        content = read_mat(path)
        splits = {split: np.asarray(content[f"{split}Ndxs"]).ravel().astype(np.int64) for split in ("train", "test")}
    frames = np.sort(np.concatenate(list(splits.values())))
    file.require(np.array_equal(frames, np.arange(1, count + 1)), f"does not name each of the {count} frames once")
    return splits


@lru_cache(maxsize=2)
def read_class_ids(path: Path, classes: int) -> tuple[int, ...]:
    """From a stored label, 0 to 894, to one of 40 or 13 classes counted from 0; -1: unlabelled."""
    file = _source(path)
    with file.structure("no MATLAB file with mapClass"):
        table = np.asarray(read_mat(path)["mapClass"]).ravel().astype(np.int64)
    right = table.shape == (NAMES,) and table.min() >= 0 and table.max() <= len(TO_13)
    file.require(right, f"does not lead from {NAMES} names to {len(TO_13)} classes")
    onwards = np.array((0, *(TO_13 if classes == 13 else range(1, 41))))
    return tuple((onwards[np.concatenate([[0], table])] - 1).tolist())


def _source(path: Path) -> SourceFile:
    return SourceFile(path, REMEDIES[path.name])


@lru_cache(maxsize=1)
def _open(path: Path) -> h5py.File:
    return h5py.File(path, "r")
