"""NYUD-MT: frames of NYU Depth v2 with four kinds of labels, one file each, in the forms that go round."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int8, Shaped
from PIL import Image

from mtl_bench.data.formats.mat_files import read_mat
from mtl_bench.data.formats.picture_files import read_picture
from mtl_bench.data.sources import SourceFile

REMEDY = (
    "download NYUD_MT.tgz (ASTMT, github.com/facebookresearch/astmt; Vandenhende et al., "
    "github.com/SimonVandenhende/Multi-Task-Learning-PyTorch) or NYUDv2.tar.gz (InvPT, "
    "github.com/prismformore/Multi-Task-Transformer) again"
)
SUFFIXES: Mapping[str, tuple[str, ...]] = {  # by folder: what Vandenhende et al., InvPT and ASTMT have
    "images": (".jpg", ".png"),
    "segmentation": (".png", ".mat"),
    "depth": (".npy", ".mat"),
    "normals": (".npy", ".png", ".jpg"),
    "edge": (".npy", ".png"),
}
SHORTEST, LONGEST = 0.5, 1.5  # of a unit vector in eight bits, at the very worst: grey, black and zero are none


def suffixes_in(root: Path, names: Sequence[str]) -> dict[str, str]:
    """The form of each kind of file, by that of the first sample that has one; the first one known where none has."""
    return {
        folder: next((one for name in names for one in known if (root / folder / f"{name}{one}").is_file()), known[0])
        for folder, known in SUFFIXES.items()
    }


def frame_size(path: Path) -> tuple[int, int]:
    """Height and width of a picture, from its head."""
    with SourceFile(path, REMEDY).structure("no picture"), Image.open(path) as picture:
        return picture.height, picture.width


def read_classes_40(path: Path) -> Int8[np.ndarray, "height width"]:
    """The 40 classes of Gupta et al. from 0 on; 0 in the file, unlabelled, is -1."""
    stored = _read(path, "segmentation")
    right = stored.ndim == 2 and bool((stored >= 0).all()) and bool((stored <= 40).all())
    SourceFile(path, REMEDY).require(right, "holds other labels than 0 to 40")
    return stored.astype(np.int8) - np.int8(1)


def read_depth(path: Path) -> Float32[np.ndarray, "height width"]:
    """Metres, 0: none."""
    return _read(path, "depth").astype(np.float32)


def read_edges(path: Path) -> Int8[np.ndarray, "height width"]:
    stored = _read(path, "edge")
    return (stored > 127 if path.suffix == ".png" else stored >= 0.5).astype(np.int8)


def read_vectors(path: Path) -> Float32[np.ndarray, "height width 3"]:
    """Normals with the axes of the file, NaN where a vector is too short or too long for one."""
    stored = _read(path, "normals").astype(np.float32)
    SourceFile(path, REMEDY).require(stored.shape[2:] == (3,), f"holds normals of shape {stored.shape}")
    vectors = stored if path.suffix == ".npy" else 2 * stored / 255 - 1
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where((length >= SHORTEST) & (length <= LONGEST), vectors, np.float32(np.nan))


def _read(path: Path, name: str) -> Shaped[np.ndarray, "height width *channels"]:
    readers: Mapping[str, Callable[[Path], np.ndarray]] = {
        ".npy": np.load,
        ".mat": lambda file: np.asarray(read_mat(file)[name]),
    }
    with SourceFile(path, REMEDY).structure("no file of its kind"):
        return readers[path.suffix](path) if path.suffix in readers else read_picture(path, REMEDY)
