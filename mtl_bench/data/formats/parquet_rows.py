"""Samples in the rows of parquet files, as on the Hugging Face hub: arrays as nested lists, pictures as bytes.

A row at a time is read, and never as Python's lists, which would take eight times the memory.
"""

import io
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import prod
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from mtl_bench.data.sources import SourceFile
from mtl_bench.errors import BenchError

if TYPE_CHECKING:
    from pyarrow import RecordBatch

PLACES = ("*.parquet", "*/*.parquet", "*/*/*.parquet")  # data/ of a repository; default/train/ where the hub converted
SHARD = re.compile(r"(.+-)(\d{5})-of-(\d{5})\.parquet")


def parquet_files(folder: Path) -> list[Path]:
    return next((found for place in PLACES if (found := sorted(folder.glob(place)))), [])


def shards(folder: Path, spellings: Collection[str]) -> list[Path]:
    """The files of a split that one of `spellings` names, present or not: theirs say how many there are."""
    files = [path for path in parquet_files(folder) if _split(path) in spellings]
    if not files or not (named := SHARD.fullmatch(files[0].name)):
        return files
    return [files[0].with_name(f"{named[1]}{at:05d}-of-{named[3]}.parquet") for at in range(int(named[3]))]


def column_names(path: Path, remedy: str) -> list[str]:
    with SourceFile(path, remedy).structure("truncated, damaged or no parquet file"):
        names: list[str] = _parquet(path).read_schema(path).names
    return names


def count_rows(path: Path, remedy: str) -> int:
    with SourceFile(path, remedy).structure("truncated, damaged or no parquet file"):
        count: int = _parquet(path).read_metadata(path).num_rows
    return count


def read_row(path: Path, row: int, columns: Sequence[str], remedy: str) -> Mapping[str, Any]:
    """A pyarrow array of length one per column. Rows that are asked for in their order are read once."""
    with SourceFile(path, remedy).structure("truncated or damaged"):
        return dict(zip(columns, _rows(path, tuple(columns)).at(row).columns, strict=True))


def as_array(cell: Any, file: SourceFile, *shapes: tuple[int, ...]) -> Shaped[np.ndarray, "*shape"]:
    """Numbers of nested lists. Raises BenchError where they have none of the shapes."""
    inner, sizes = cell, []
    while hasattr(inner, "value_lengths"):
        lengths = inner.value_lengths().to_numpy(zero_copy_only=False)
        sizes.append(int(lengths[0]) if len(lengths) and (lengths == lengths[0]).all() else 0)  # 0: they differ
        inner = inner.flatten()
    shape = tuple(sizes)
    right = shape in shapes and len(inner) == prod(shape) and not inner.null_count
    file.require(right, f"holds an array of shape {shape} instead of {shapes[0]}")
    values: np.ndarray = inner.to_numpy(zero_copy_only=False)
    return values.reshape(shape)


def as_picture(cell: Any, file: SourceFile) -> Shaped[np.ndarray, "height width *channels"]:
    """Pixels of the bytes of a picture. Raises BenchError where there are none."""
    value = cell[0].as_py()
    content = value.get("bytes") if isinstance(value, dict) else value
    file.require(isinstance(content, bytes), "holds a picture's name and not its bytes")
    with file.structure("damaged"):
        return np.asarray(Image.open(io.BytesIO(content or b"")))


class _Rows:
    """The rows of one file; goes on from the last one, and to another group of rows only where it must."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.file, self.columns = _parquet(path).ParquetFile(path, memory_map=True), columns
        metadata = self.file.metadata
        sizes = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
        self.starts = list(accumulate(sizes, initial=0))
        self.next, self.coming = 0, self._from(0)
        self.last: RecordBatch | None = None  # the row before the next one

    def at(self, row: int) -> "RecordBatch":
        if self.last is not None and row == self.next - 1:
            return self.last
        group = bisect_right(self.starts, row) - 1
        if row < self.next or self.next < self.starts[group]:
            self.next, self.coming = self.starts[group], self._from(group)
        for batch in self.coming:
            self.next, self.last = self.next + 1, batch
            if self.next > row:
                return batch
        raise IndexError(f"there is no row {row}")

    def _from(self, group: int) -> "Iterator[RecordBatch]":
        groups = list(range(group, len(self.starts) - 1))
        batches: Iterator[RecordBatch] = self.file.iter_batches(1, groups, list(self.columns), use_threads=False)
        return batches


@lru_cache(maxsize=1)
def _rows(path: Path, columns: tuple[str, ...]) -> _Rows:
    return _Rows(path, columns)


def _split(path: Path) -> str:
    """`train` of train-00000-of-00008.parquet, of train.parquet and of train/0000.parquet."""
    return path.parent.name if path.stem.isdigit() else re.sub(r"-\d{5}-of-\d{5}$", "", path.stem)


def _parquet(path: Path) -> ModuleType:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise BenchError(
            f"{path} is a parquet file, which needs a package that is missing: pip install 'mtl-bench[parquet]'."
        ) from error
    return pyarrow.parquet
