"""Pictures in official files."""

from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from mtl_bench.data.sources import SourceFile


def read_photo(path: Path, remedy: str) -> UInt8[np.ndarray, "3 height width"]:
    """A colour picture of any kind. Raises BenchError when it is damaged."""
    with SourceFile(path, remedy).structure("no picture"), Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).transpose(2, 0, 1)


def read_picture(path: Path, remedy: str) -> Shaped[np.ndarray, "height width *channels"]:
    """A picture as stored: of a palette its indices."""
    with SourceFile(path, remedy).structure("no picture"), Image.open(path) as picture:
        return np.asarray(picture)
