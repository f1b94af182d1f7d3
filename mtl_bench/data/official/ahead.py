"""Samples read by several processes, in their order and in a bounded amount of memory."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Thread
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from mtl_bench.data.fields import Arrays, Field, unfit
from mtl_bench.data.official.inventory import Sample
from mtl_bench.data.stream import Unreadable
from mtl_bench.errors import BenchError

Read: TypeAlias = Callable[[Sample], Arrays]
AHEAD = 4  # samples that every process has ready at most
PRELOADED = ["mtl_bench.data.official.ahead"]  # imported once for all processes, torch being most of it


class Ahead:
    """`Samples.read` of a split that is mostly read from its start to its end: the next samples are on their way.

    With one process nothing is started. Processes end with the one that started them, however that ends.
    """

    def __init__(self, samples: Sequence[Sample], read: Read, fields: Mapping[str, Field], processes: int) -> None:
        self.reader, self.fields = _Reader(samples, read, fields), fields
        self.processes = processes if processes > 1 else 0
        self._coming: Iterator[Arrays | str] = iter(())
        self._next = -1

    def __call__(self, rows: range) -> Arrays:
        if rows.start != self._next:
            self._coming = self._from(rows.start)
        try:
            read = [next(self._coming) for _ in rows]
        except RuntimeError as error:
            if "exited unexpectedly" not in str(error):  # torch's words for a worker that was killed
                raise
            raise BenchError(
                "A process that read official files was killed, perhaps for want of memory; the same command with "
                "fewer workers=N continues."
            ) from error
        self._next = rows.stop
        good = [one for one in read if not isinstance(one, str)]
        made = {name: _stacked(field, [one[name] for one in good]) for name, field in self.fields.items()}
        if reasons := {at: one for at, one in zip(rows, read, strict=True) if isinstance(one, str)}:
            raise Unreadable(reasons, made)
        return made

    def _from(self, start: int) -> Iterator[Arrays | str]:
        loader = DataLoader(
            self.reader,
            sampler=range(start, len(self.reader)),
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=self.processes,
            prefetch_factor=AHEAD if self.processes else None,
            worker_init_fn=_end_with_parent,
            multiprocessing_context=_context() if self.processes else None,
            generator=torch.Generator(),  # or it would draw from torch's own, which training goes on with
        )
        return iter(loader)


class _Reader(Dataset[Arrays | str]):
    """The arrays of a sample, or one sentence why it has none."""

    def __init__(self, samples: Sequence[Sample], read: Read, fields: Mapping[str, Field]) -> None:
        self.samples, self.read, self.fields = samples, read, fields

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Arrays | str:
        sample = self.samples[index]
        try:
            arrays = self.read(sample)
        except (BenchError, OSError) as error:
            return f"Sample {sample.name}: {error}"
        place, one = f"sample {sample.name}", {name: np.asarray(array)[None] for name, array in arrays.items()}
        wrong = unfit(place, one, self.fields, 1)
        return f"{wrong[0].upper()}{wrong[1:]}." if wrong else arrays


def _context() -> multiprocessing.context.BaseContext:
    """Processes that inherit no threads and no locks, and still import torch only once."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _end_with_parent(_: int) -> None:
    """However that ends. Torch watches the parent process; here that is a server, which waits for its children."""
    if parent := multiprocessing.parent_process():

        def wait() -> None:
            parent.join()
            os._exit(1)

        Thread(target=wait, daemon=True).start()


def _as_it_is(sample: Any) -> Any:
    return sample


def _stacked(field: Field, arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(arrays) if arrays else np.empty((0, *field.shape), field.dtype)
