"""Folders of surface normals that others computed for NYU Depth v2, one file per frame."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from mtl_bench.data.encoding import NormalBytes
from mtl_bench.data.fields import Field
from mtl_bench.data.sources import SourceFile
from mtl_bench.errors import BenchError

NORMALS = "normals"  # the folder
AXES = (1, 2, 3)  # channels that point right, down and away, as the package has them
FIELDS: Mapping[str, Callable[[tuple[int, int], tuple[int, ...]], Field]] = {
    "depth": lambda size, _: Field("float16", (3, *size), "float", "", "normal"),
    "png": lambda size, axes: Field("uint8", (3, *size), NormalBytes(_turned(axes)), "", "normal"),
    "npy": lambda size, _: Field("float32", (3, *size), "float", "", "normal"),
}


def check_axes(name: str, axes: Sequence[int]) -> None:
    """Raises BenchError for axes of dataset `name` that are not each of the three channels once."""
    if sorted(map(abs, axes)) != list(AXES):
        raise BenchError(f"Dataset {name}: axes name channels 1, 2 and 3, each once, got {list(axes)}.")


def read_normals(path: Path, axes: Sequence[int]) -> Shaped[np.ndarray, "3 480 640"]:
    """The channels that `axes` names; bytes of a PNG as stored, vectors of an `.npy` file turned, NaN where they are 0.

    Raises BenchError for another file.
    """
    file = SourceFile(path, "get it again")
    with file.structure("no picture"):
        stored = np.asarray(Image.open(path)) if path.suffix == ".png" else file.array()
    file.require(stored.shape == (480, 640, 3), f"has the shape {stored.shape} instead of (480, 640, 3)")
    if path.suffix == ".npy":
        stored = stored.astype(np.float32)
        stored[(stored == 0).all(axis=-1)] = np.nan
        stored[..., _channels(axes)] *= np.sign(axes)
    return stored.transpose(2, 0, 1)[_channels(axes)]


def _channels(axes: Sequence[int]) -> list[int]:
    return [abs(axis) - 1 for axis in axes]


def _turned(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(at for at, axis in enumerate(axes) if axis < 0)
