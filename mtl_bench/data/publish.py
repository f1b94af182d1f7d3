"""Folders that appear whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from mtl_bench.errors import BenchError


@contextmanager
def published(folder: Path) -> Iterator[Path]:
    """Yields an empty folder beside `folder`, which takes its name when the block ends without an error.

    A process killed inside the block leaves a dot-folder that nothing reads. When another process published the same
    folder meanwhile, its work stays and this one's is dropped: both were made from the same parameters.

    Raises BenchError when the disk is full or the place cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}-{uuid4().hex[:8]}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        _rename(temporary, folder)
    except OSError as error:
        raise BenchError(
            f"{folder} could not be written ({error}); free disk space or choose a data folder you may write to."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
