"""One process per run."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from mtl_bench.errors import BenchError

LOCK_NAME = "lock"


class RunLocked(BenchError):
    """Another process holds the lock; a sweep leaves that cell alone."""


class RunLock:
    """Exclusive `flock` on a file, held for the length of a `with` block.

    The kernel frees it when the process ends, however it ends, so there is no stale lock to clean up.
    The file itself stays: removing it would let two processes lock two different files of one name.

    Raises RunLocked when another process (or another lock of this one) holds it, BenchError where files cannot be
    locked at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        import fcntl  # late: reading records must work on systems without flock

        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise BenchError(f"{self.path} cannot be opened ({error.strerror}); choose another folder.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise self._refusal(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        os.close(self._file)

    def _refusal(self, error: OSError) -> BenchError:
        if isinstance(error, BlockingIOError):
            return RunLocked(f"{self.path.parent} is in use by another process; wait for it or stop it.")
        return BenchError(f"{self.path} cannot be locked ({error.strerror}); choose a file system that supports flock.")
