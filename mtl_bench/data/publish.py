"""Folders that appear whole or not at all."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from mtl_bench.errors import BenchError

log = logging.getLogger(__name__)


@contextmanager
def published(folder: Path) -> Iterator[Path]:
    """Yields an empty folder beside `folder`, which takes its name when the block ends without an error.

    A process killed inside the block leaves a dot-folder that nothing reads. When another process published the same
    folder meanwhile, its work stays and this one's is dropped: both were made from the same parameters.

    Raises BenchError when the disk is full or the place cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}-{uuid4().hex[:8]}")
    try:
        with _writing(folder):
            temporary.mkdir(parents=True)
            yield temporary
            _rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def continued(folder: Path) -> Iterator[Path]:
    """Like `published`, for what takes long: what a process left behind, however it ended, is yielded to the next one.

    One process at a time; another one waits, so `folder` may be there when its block begins. A block that wants nothing
    of it kept removes it.
    Raises BenchError when the disk is full or the place cannot be written.
    """
    started = folder.with_name(f".{folder.name}.started")
    with _writing(folder), _alone(folder):
        started.mkdir(exist_ok=True)
        yield started
        _rename(started, folder)
        shutil.rmtree(started, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a lock beside `folder`, which the kernel frees when the process ends, however it ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(f".{folder.name}.lock")
    file = _lock(path)
    while not _is(path, file):  # the one before has removed it: another process may hold a new one
        os.close(file)
        file = _lock(path)
    try:
        yield
    finally:
        path.unlink()
        os.close(file)


def _lock(path: Path) -> int:
    import fcntl  # late: reading packed data must work on systems without flock

    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.warning("Waiting for the process that holds %s …", path)
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _is(path: Path, file: int) -> bool:
    try:
        return os.path.samefile(path, file)
    except FileNotFoundError:
        return False


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BenchError(
            f"{folder} could not be written ({error}); free disk space or choose a data folder you may write to."
        ) from error


def _rename(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
