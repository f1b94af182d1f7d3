"""What validation finds, and where a record lies."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from mtl_bench.records import Record


@dataclass(frozen=True)
class Fault:
    """One sentence about a file or folder. `wrong`: it cannot stand on a board; else a reader has to know it."""

    path: Path
    text: str
    wrong: bool


Remarks: TypeAlias = Iterator[tuple[bool, str]]  # `wrong` and the sentence, of a file that the caller knows


@dataclass(frozen=True)
class Located:
    """A record and its file, `<root>/<experiment>/<method>/<hash>/seed-<n>/record.json`.

    `submitted` says whether its root is a submission, of which more is asked.
    """

    path: Path
    record: Record
    submitted: bool = False

    @property
    def row(self) -> Path:
        """The folder of all seeds of this run."""
        return self.path.parent.parent

    @property
    def root(self) -> Path:
        """As far up as the path reaches, of a record that lies elsewhere."""
        return self.path.parents[:5][-1]
