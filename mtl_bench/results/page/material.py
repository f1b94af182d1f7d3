"""What pages are made of: records with their files, and how a reader gets from a row to both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mtl_bench.records import Record
from mtl_bench.records.entry import EntryFile
from mtl_bench.results.board import Board
from mtl_bench.results.entries import Run
from mtl_bench.results.page.printed_rows import PrintedRow
from mtl_bench.results.tuned_rows import without_trials
from mtl_bench.results.validation import Submission


def _unknown(runs: Sequence[Run]) -> None:
    return None


def _none(board: Board) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Material:
    """`located` are records with their files, `files` grouping entries.

    `commands` says what trains the runs of a row again, all their seeds (None: not known), and `link` where a record's
    file lies, seen from a page (None: runs are named without a link). `printed` are numbers of papers, `sent` says who
    sent a run in, by its hash, and `refused` which methods cannot run on a board, and why.
    """

    located: Sequence[tuple[Path, Record]]
    files: Sequence[EntryFile] = ()
    commands: Callable[[Sequence[Run]], list[str] | None] = _unknown
    link: Callable[[Path], str] | None = None
    printed: Sequence[PrintedRow] = ()
    sent: Mapping[str, Submission] = field(default_factory=dict)
    refused: Callable[[Board], Mapping[str, str]] = _none

    @cached_property
    def records(self) -> list[Record]:
        return without_trials([record for _, record in self.located], self.files)

    @cached_property
    def paths(self) -> dict[tuple[str, str, int], Path]:
        """(selection rule, hash, seed) → file, the first one where copies lie about; from here, if below."""
        found: dict[tuple[str, str, int], Path] = {}
        for path, record in self.located:
            shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            found.setdefault((record["selection"], record["hash"], record["seed"]), shown)
        return found

    def path_of(self, record: Record) -> Path:
        """The file of one of its records."""
        return self.paths[record["selection"], record["hash"], record["seed"]]
