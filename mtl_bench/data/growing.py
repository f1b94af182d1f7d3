"""An array file that grows."""

import io
import os
from math import prod
from pathlib import Path

import numpy as np

from mtl_bench.data.fields import Field


class GrowingFile:
    """An `.npy` file of `count` samples that grows; byte for byte what `np.save` writes once it is complete."""

    def __init__(self, path: Path, field: Field, count: int) -> None:
        self.path, self.dtype = path, np.dtype(field.dtype)
        self.sample = self.dtype.itemsize * prod(field.shape)  # bytes
        self.shape = field.shape
        self.header = self._header(count)

    def holds(self, array: np.ndarray, start: int) -> bool:
        """Whether these are its samples from `start` on."""
        if not self.path.is_file():
            return False
        with self.path.open("rb") as file:
            file.seek(len(self.header) + start * self.sample)
            return file.read(array.nbytes) == array.tobytes()  # bytes, in which NaN equals itself

    def cut(self, done: int) -> None:
        """Drops what was written behind the samples done."""
        if not done:
            self.path.write_bytes(self.header)
        elif self.path.stat().st_size > (size := len(self.header) + done * self.sample):
            os.truncate(self.path, size)

    def append(self, array: np.ndarray) -> None:
        with self.path.open("ab") as file:
            file.write(np.ascontiguousarray(array).data)
            file.flush()
            os.fsync(file.fileno())  # before the state says so: a power cut must not leave zeros that count as done

    def close(self, count: int) -> None:
        """Says how many samples it holds, where it says something else: fewer were expected, or more."""
        header = self._header(count)
        with self.path.open("r+b") as file:
            if file.read(len(header)) != header:
                file.seek(0)
                file.write(header)
                os.fsync(file.fileno())

    def _header(self, count: int) -> bytes:
        """NumPy's; it leaves room for any number of samples, so that its length does not depend on theirs."""
        header = io.BytesIO()
        descr = np.lib.format.dtype_to_descr(self.dtype)
        content = {"descr": descr, "fortran_order": False, "shape": (count, *self.shape)}
        np.lib.format.write_array_header_1_0(header, content)
        return header.getvalue()
