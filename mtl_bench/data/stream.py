"""Arrays that are written a few samples at a time, and continued where a killed process left them."""

import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from mtl_bench.data.fields import Arrays, Field, mismatch, strange
from mtl_bench.errors import BenchError
from mtl_bench.records.atomic import remove_leftovers, write_atomic

STATE = "started.json"
CHUNK = 8 << 20  # bytes made and written together


@dataclass(frozen=True)
class Samples:
    """The samples of a split, made when they are asked for: `read(range(256, 512))` gives those 256 of every field.

    What is read must depend on the range alone, so that a write can be continued, and not on how it is cut.
    """

    count: int
    read: Callable[[range], Arrays]

    @classmethod
    def of(cls, arrays: Arrays) -> "Samples":
        """Whole arrays, which are in memory or mapped into it."""
        count = len(next(iter(arrays.values())))
        return cls(count, lambda rows: {name: array[rows.start : rows.stop] for name, array in arrays.items()})


class Unfit(BenchError):
    """Samples that are not what their fields say: going on with what is written would not help."""


class Stream:
    """What has been written to a started folder; `STATE` in it says how many samples of every split are done.

    `made_from` says what is being written; a folder that was started with something else starts over.
    """

    def __init__(self, folder: Path, made_from: Mapping[str, Any]) -> None:
        self.folder, self.made_from = folder, json.loads(json.dumps(made_from))
        remove_leftovers(folder)
        self.done = self._started()
        if not self.done:
            for path in folder.iterdir():
                path.unlink()

    def write(self, split: str, samples: Samples, fields: Mapping[str, Field]) -> None:
        """Appends what is missing of a split.

        The samples done last are made a second time: when they come out differently, their source is another one by
        now, and the split starts over. Raises Unfit for samples that are not what their fields say.
        """
        files = {
            name: GrowingFile(self.folder / file_name(split, name), field, samples.count)
            for name, field in fields.items()
        }
        step = max(1, CHUNK // max(1, sum(file.sample for file in files.values())))
        done = self.done.get(split, 0)
        last = range(max(0, done - step), done)
        if last and not _hold(files, _fitting(split, samples, fields, last), last.start):
            done = 0
        for file in files.values():
            file.cut(done)
        self._keep(split, done)
        for start in range(done, samples.count, step):
            rows = range(start, min(start + step, samples.count))
            made = _fitting(split, samples, fields, rows)
            for name, file in files.items():
                file.append(made[name])
            self._keep(split, rows.stop)

    def close(self) -> None:
        """Everything is done."""
        (self.folder / STATE).unlink()

    def _started(self) -> dict[str, int]:
        try:
            state = json.loads((self.folder / STATE).read_text())
            return state["done"] if state["made_from"] == self.made_from else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _keep(self, split: str, done: int) -> None:
        self.done[split] = done
        write_atomic(self.folder / STATE, json.dumps({"made_from": self.made_from, "done": self.done}))


class GrowingFile:
    """An `.npy` file of `count` samples that grows; byte for byte what `np.save` writes once it is complete."""

    def __init__(self, path: Path, field: Field, count: int) -> None:
        self.path, self.dtype = path, np.dtype(field.dtype)
        self.sample = self.dtype.itemsize * prod(field.shape)  # bytes
        header = io.BytesIO()
        shape, descr = (count, *field.shape), np.lib.format.dtype_to_descr(self.dtype)
        np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
        self.header = header.getvalue()

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


def file_name(split: str, field: str) -> str:
    return f"{split}.{field}.npy"


def _hold(files: Mapping[str, GrowingFile], made: Arrays, start: int) -> bool:
    return all(file.holds(made[name], start) for name, file in files.items())


def _fitting(split: str, samples: Samples, fields: Mapping[str, Field], rows: range) -> Arrays:
    try:
        made = samples.read(rows)
    except OSError as error:  # not to be taken for one of writing
        raise BenchError(
            f"Samples {rows.start} to {rows.stop - 1} of split `{split}` cannot be read ({error}); check the official "
            "files and run the command again, which continues there."
        ) from error
    wrong = mismatch(split, made, fields, len(rows))
    if wrong := wrong or next(filter(None, (strange(split, n, f, made[n]) for n, f in fields.items())), ""):
        raise Unfit(wrong)
    return made
