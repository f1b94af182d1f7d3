"""Files that are either the old one or the new one, never half of each."""

import os
import secrets
from pathlib import Path

from mtl_bench.errors import BenchError


def remove_leftovers(folder: Path) -> None:
    """Delete what processes killed within `write_atomic` left in `folder`; only for the one that holds its lock."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Replace the content of `path` (text as UTF-8) in one step.

    Raises BenchError when the folder cannot be written or the disk is full; the old file is then untouched.
    """
    # A random name rather than a fixed one: two writers must not share a temporary file.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())  # before the rename, or a power cut could leave an empty file under the name
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)  # also on Ctrl-C; after the rename there is nothing left to remove
    except OSError as error:
        reason = error.strerror or error
        raise BenchError(f"{path} cannot be written ({reason}); free some space or choose another folder.") from error
