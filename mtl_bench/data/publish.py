"""Folders that appear whole or not at all."""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from uuid import uuid4

from mtl_bench.errors import BenchError
from mtl_bench.records.lock import RunLock, RunLocked

log = logging.getLogger(__name__)
PATIENCE = 0.5  # seconds between two looks at a lock


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

    One process at a time; another one waits, so `folder` may be there when its block begins.
    Raises BenchError when the disk is full or the place cannot be written.
    """
    started = folder.with_name(f".{folder.name}.started")
    with _writing(folder), _alone(folder):
        started.mkdir(exist_ok=True)
        yield started
        _rename(started, folder)
        shutil.rmtree(started, ignore_errors=True)


def _alone(folder: Path) -> ExitStack:
    """A lock beside `folder`, held until the stack is closed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock, stack = RunLock(folder.with_name(f".{folder.name}.lock")), ExitStack()
    for attempt in count():
        try:
            stack.enter_context(lock)
            break
        except RunLocked:
            if not attempt:
                log.warning("Waiting for another process that writes %s …", folder)
            time.sleep(PATIENCE)
    return stack


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
