"""The log of a run: one JSON object per line, cut back to the checkpoint on resume."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_bench.errors import BenchError, Damaged


class History:
    """Append-only rows in a `.jsonl` file, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one row, flushed; BenchError when the disk is full or the folder cannot be written."""
        try:
            with self.path.open("ab") as file:
                file.write(json.dumps(row).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())  # a checkpoint, which is synced, remembers how long this file was
        except OSError as error:
            raise BenchError(f"{self.path} cannot be written ({error.strerror}); free some space.") from error

    @property
    def offset(self) -> int:
        """Length in bytes: what a checkpoint stores, and `truncate` takes."""
        return self.path.stat().st_size if self.path.exists() else 0

    def truncate(self, offset: int) -> None:
        """Forget every row written since `offset` was read; BenchError when the file has become shorter than that."""
        if offset > self.offset:  # truncating would pad with zero bytes
            raise BenchError(
                f"{self.path} has {self.offset} bytes, its checkpoint was written at {offset}; "
                f"delete {self.path.parent} to start this run again."
            )
        if self.path.exists():
            os.truncate(self.path, offset)

    def rows(self) -> list[dict[str, Any]]:
        """All complete rows, oldest first; Damaged when one cannot be read."""
        content = self.path.read_bytes() if self.path.exists() else b""
        complete = content.split(b"\n")[:-1]  # a killed run leaves half a line after the last newline
        try:
            return [json.loads(line) for line in complete]
        except ValueError as error:
            raise Damaged(f"{self.path} is damaged ({error}); delete it.") from error
