"""How samples are packed: nothing here changes what a packed sample holds."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console

from mtl_bench.data.fields import Field
from mtl_bench.data.stream import OnError
from mtl_bench.errors import BenchError, check_choices

SPARE = 64 << 20  # bytes beside the arrays: manifest, contact sheet, and what else a disk holds


@dataclass(frozen=True)
class Packing:
    """`workers` processes read official files (auto: one per processor this process may use); samples that cannot be
    read end the packing or are skipped; `console` is where a person follows it (None: nobody does).

    Raises BenchError for another value.
    """

    workers: int | Literal["auto"] = 1  # a script without `if __name__ == "__main__"` cannot start others
    on_error: OnError = "raise"
    console: Console | None = None

    def __post_init__(self) -> None:
        if self.workers != "auto" and (not isinstance(self.workers, int) or self.workers < 1):
            raise BenchError(f"workers is auto or a number of processes from 1 on, got {self.workers!r}.")
        check_choices(self, "")

    @property
    def processes(self) -> int:
        return len(os.sched_getaffinity(0)) if self.workers == "auto" else self.workers


def needed_bytes(fields: Mapping[str, Field], counts: Mapping[str, int]) -> int:
    """What the arrays of so many samples per split take on a disk."""
    sample = sum(np.dtype(field.dtype).itemsize * prod(field.shape) for field in fields.values())
    return sample * sum(counts.values())


def check_disk(name: str, needed: int, folder: Path) -> str:
    """A sentence about the disk that `folder` needs and has. Raises BenchError with it where that is not enough."""
    place = next(parent for parent in folder.absolute().parents if parent.is_dir())
    started = folder.with_name(f".{folder.name}.started")
    written = sum(path.stat().st_size for path in started.glob("*.npy")) if started.is_dir() else 0
    free = shutil.disk_usage(place).free
    told = f"{name} needs {size(needed)} in {folder.parent}"
    if needed - written + SPARE > free:
        there = f", of which {size(written)} are written," if written else ""
        raise BenchError(f"{told}{there} and {size(free)} are free; free some or choose another disk with paths.data.")
    return f"{told}; {size(free)} are free."


def size(count: int) -> str:
    """Bytes as people write them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
