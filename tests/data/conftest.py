"""Tiny packed datasets and tiny official files."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.formats import idx
from mtl_bench.data.packed import Field, Packed, write_packed

FIELDS = {
    "image": Field("uint8", (3, 4, 5), "uint8/255"),
    "shape": Field("int8", (), "class"),
    "depth": Field("float16", (1, 2), "float", "m"),
    "source": Field("int32", (2,), "index"),
}


def tiny_arrays(size: int, seed: int = 0) -> dict[str, np.ndarray]:
    draw = np.random.RandomState(seed)
    return {
        "image": draw.randint(0, 256, (size, 3, 4, 5)).astype(np.uint8),
        "shape": draw.randint(0, 5, size).astype(np.int8),
        "depth": draw.rand(size, 1, 2).astype(np.float16),
        "source": draw.randint(0, 99, (size, 2)).astype(np.int32),
    }


@pytest.fixture
def packed(tmp_path: Path) -> Packed:
    """10 training, 6 validation samples with one class and one dense float target."""
    folder = tmp_path / "packed" / "tiny-0"
    write_packed(
        folder, "tiny", {"train": tiny_arrays(10), "val": tiny_arrays(6, 1)}, FIELDS, "drawn", {"data_seed": 0}
    )
    return Packed.open(folder)


@pytest.fixture
def write_idx() -> Callable[..., Path]:
    def write(path: Path, array: np.ndarray, magic: int | None = None, keep: int | None = None) -> Path:
        header = struct.pack(">I", 0x800 + array.ndim if magic is None else magic)
        content = (header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())[:keep]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return path

    return write


@pytest.fixture
def official(tmp_path: Path, write_idx: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with made-up `mnist/` and `fashion/` of 60 + 20 images."""
    monkeypatch.setattr(idx, "SUMS", {})
    draw = np.random.RandomState(3)
    for name in ("mnist", "fashion"):
        for part, size in (("train", 60), ("test", 20)):
            images, labels = (tmp_path / "official" / name / f"{file}.gz" for file in idx.FILES[part])
            write_idx(images, draw.randint(0, 256, (size, 28, 28)).astype(np.uint8))
            write_idx(labels, draw.randint(0, 10, size).astype(np.uint8))
    return tmp_path / "official"
