"""Where packed arrays live while training: whole on the device, or memory-mapped with one batch read ahead."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Int32, Int64, Shaped
from torch import Tensor

from mtl_bench.errors import BenchError

Residency = Literal["auto", "device", "memmap"]
Columns = Mapping[str, Sequence[np.ndarray]]  # per field the arrays of several splits, laid end to end
FREE_SHARE = 0.4  # of the free memory; the rest is for the model, its activations and K gradients
MEMINFO = Path("/proc/meminfo")
ASSUMED_FREE = 4 << 30  # bytes of host memory where the system does not tell


class Resident:
    """The whole arrays on the device."""

    def __init__(self, columns: Columns, device: torch.device) -> None:
        self.columns = {name: _tensor(np.concatenate(arrays)).to(device) for name, arrays in columns.items()}
        self.device = device

    def rows(self, index: Int64[Tensor, "batch"]) -> dict[str, Tensor]:
        here = send(index, self.device)
        return {name: column.index_select(0, here) for name, column in self.columns.items()}

    def prefetch(self, index: Int64[Tensor, "batch"]) -> None:
        """Nothing to do."""


class Mapped:
    """Memory-mapped files; one thread reads the announced batch while the device computes."""

    def __init__(self, columns: Columns, device: torch.device) -> None:
        self.columns = columns
        self.device = device
        self.reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
        self.announced: tuple[Tensor, Future[dict[str, Tensor]]] | None = None

    def rows(self, index: Int64[Tensor, "batch"]) -> dict[str, Tensor]:
        announced, self.announced = self.announced, None
        if announced is not None and torch.equal(announced[0], index):
            host = announced[1].result()
        else:
            host = self._read(index)
        return {name: send(rows, self.device) for name, rows in host.items()}

    def prefetch(self, index: Int64[Tensor, "batch"]) -> None:
        self.announced = (index, self.reader.submit(self._read, index))

    def _read(self, index: Int64[Tensor, "batch"]) -> dict[str, Tensor]:
        return {name: _tensor(gather(arrays, index.numpy())) for name, arrays in self.columns.items()}


def open_store(columns: Columns, device: torch.device, residency: Residency) -> Resident | Mapped:
    """Still encoded rows of every field, served on the device.

    `auto` keeps everything on the device when it needs at most FREE_SHARE of the memory free there.
    Raises BenchError for another residency.
    """
    if residency not in get_args(Residency):
        raise BenchError(f"residency is one of {', '.join(get_args(Residency))}; got {residency!r}.")
    needed = sum(array.nbytes for arrays in columns.values() for array in arrays)
    fits = residency == "device" or (residency == "auto" and needed <= FREE_SHARE * free_memory(device))
    return Resident(columns, device) if fits else Mapped(columns, device)


def gather(arrays: Sequence[np.ndarray], index: np.ndarray) -> np.ndarray:
    """Rows `index` of the arrays as if they were concatenated."""
    rows = np.empty((len(index), *arrays[0].shape[1:]), arrays[0].dtype)
    start = 0
    for array in arrays:
        inside = (index >= start) & (index < start + len(array))
        rows[inside] = array[index[inside] - start]
        start += len(array)
    return rows


def _tensor(array: np.ndarray) -> Tensor:
    """Sharing memory. torch cannot index 16 bits without a sign: they travel as if they had one, see `widened`."""
    return torch.from_numpy(array.view(np.int16) if array.dtype == np.uint16 else array)


def widened(stored: Shaped[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    """The values of 16 bits without a sign."""
    return stored.int() & 0xFFFF


def send(host: Tensor, device: torch.device) -> Tensor:
    """A host tensor on the device, without waiting for the device."""
    if device.type == "cuda":
        host = host.pin_memory()  # from pageable memory the copy would stop the host
    return host.to(device, non_blocking=True)


def free_memory(device: torch.device) -> int:
    """Bytes."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if not MEMINFO.is_file():
        return ASSUMED_FREE
    sizes = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
    return int(sizes["MemAvailable"].split()[0]) * 1024  # "12345 kB"
