"""IDX files: MNIST and Fashion-MNIST as published (four files each, gzipped or plain)."""

import io
import math
import shutil
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mtl_bench.data.publish import published
from mtl_bench.data.sources import SourceFile, existing, holding
from mtl_bench.errors import BenchError

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
CLASSES = {"mnist": "MNIST", "fashion": "FashionMNIST"}  # torchvision's names, of classes and of download folders
# Of the uncompressed images and labels: both datasets use the same file names, so a mix-up would go unnoticed.
SUMS = {
    ("mnist", "train"): ("md5:6bbc9ace898e44ae57da46a324031adb", "md5:a25bea736e30d166cdddb491f175f624"),
    ("mnist", "test"): ("md5:2646ac647ad5339dbf082846283269ea", "md5:27ae3e4e09519cfbb04c329615203637"),
    ("fashion", "train"): ("md5:f4a8712d7a061bf5bd6d2ca38dc4d50a", "md5:9018921c3c673c538a1fc5bad174d6f9"),
    ("fashion", "test"): ("md5:8181f5470baa50b63fa0f6fddb340f0a", "md5:15d484375f8d13e6eb1aabb0c3f46965"),
}
Official = dict[str, tuple[UInt8[np.ndarray, "_ 28 28"], UInt8[np.ndarray, "_"]]]


def read_idx(path: Path, digest: str | None = None) -> UInt8[np.ndarray, "..."]:
    """The array in an IDX file of unsigned bytes, gzipped or plain.

    Layout: two zero bytes, type 0x08, number of axes, one big-endian uint32 per axis, then the values. `digest` is the
    expected sum of the uncompressed file.

    Raises BenchError when the file is missing, damaged, truncated, of another format, or has another sum.
    """
    file = SourceFile(path)
    content = file.content()
    axes = content[3] if len(content) > 3 and content[:3] == b"\x00\x00\x08" else 0
    start = 4 + 4 * axes
    file.require(axes > 0 and start <= len(content), "is not an IDX file of bytes (its magic number is wrong)")
    shape = tuple(int(axis) for axis in np.frombuffer(content, ">u4", count=axes, offset=4))
    found, expected = len(content) - start, math.prod(shape)
    file.require(found == expected, f"should hold {expected} values but holds {found}")
    file.compare(content, digest)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_official(name: str, folders: Sequence[Path]) -> Official:
    """Images and labels of "train" and "test" of `mnist` or `fashion`, found in `folders` or downloaded to the last."""
    folder = find_or_download(name, folders)
    read: Official = {}
    for part, (images, labels) in FILES.items():
        of_images, of_labels = SUMS.get((name, part), (None, None))
        read[part] = (read_idx(existing(folder, images), of_images), read_idx(existing(folder, labels), of_labels))
    return read


def find_or_download(name: str, folders: Sequence[Path]) -> Path:
    """The folder that holds the four files, looked for in each folder, its `<name>/` and torchvision's layout.

    Raises BenchError, saying which files to put where, when they are nowhere and cannot be downloaded.
    """
    candidates = [place for folder in folders for place in (folder / name, folder / CLASSES[name] / "raw", folder)]
    if found := holding(candidates, [file for pair in FILES.values() for file in pair]):
        return found
    _download(name, folders[-1] / name)
    return folders[-1] / name


def _download(name: str, folder: Path) -> None:
    from mtl_bench.vision import torchvision  # late: seconds of import that only a download needs

    with published(folder) as temporary:
        nested = temporary / CLASSES[name] / "raw"
        try:
            with redirect_stdout(io.StringIO()):
                getattr(torchvision().datasets, CLASSES[name])(temporary, download=True)
        except (OSError, RuntimeError) as error:
            files = ", ".join(f"{file}.gz" for pair in FILES.values() for file in pair)
            reason = (str(error).strip() or repr(error)).splitlines()[-1]
            raise BenchError(
                f"{CLASSES[name]} is not here and could not be downloaded ({reason}); put {files} into {folder}."
            ) from error
        for file in nested.iterdir():
            file.rename(temporary / file.name)
        shutil.rmtree(nested.parent)
