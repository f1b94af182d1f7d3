"""The runs behind the rows of a board, and where they come from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from mtl_bench.records import Record, Shared
from mtl_bench.records.entry import EntryFile
from mtl_bench.records.record import SINGLE
from mtl_bench.results.board import Board
from mtl_bench.results.entries import Entry, Run, group_entries, method_entries
from mtl_bench.results.page.material import Material
from mtl_bench.results.row import Row
from mtl_bench.results.single_task import single_task
from mtl_bench.results.tuned_rows import is_over, tuned_entries

ORIGINS = {"submissions": "submitted", "published": "published"}  # by names of folders; all other records are ours
TUNED = "tuned"  # likewise


@dataclass(frozen=True)
class Provenance:
    """Whose runs they are, whether their options were searched, and in what they differ from the method's defaults."""

    origin: str
    tuned: bool
    options: str

    def __str__(self) -> str:
        return f"{self.origin} · {TUNED if self.tuned else 'not tuned'} · {self.options or 'default options'}"


def entries_behind(board: Board, material: Material) -> dict[str, Entry]:
    """Label of a row → its entry."""
    files, methods = _files_of(board, material), methods_of(board, material)
    chosen = tuned_entries(files, material.records) if board.tuned_from else group_entries(files, material.records)
    entries = [*method_entries(methods), *chosen]
    single, _ = single_task(material.records, setting_of(board, material))
    known = {(entry.label, tuple(entry.hashes)): entry for entry in [*entries, *([single] if single else [])]}
    found = {row.label: known.get((row.label, row.hashes)) for row in board.rows}
    return {label: entry for label, entry in found.items() if entry}


def methods_of(board: Board, material: Material) -> list[Record]:
    """Their records on this board, single-task runs left out."""
    own = [record for record in material.records if record["experiment"]["hash"] == board.setting["hash"]]
    return [record for record in own if record["method"]["name"] != SINGLE]


def setting_of(board: Board, material: Material) -> Shared:
    """What speaks for all rows of a board."""
    return (*_files_of(board, material), *methods_of(board, material))[0]


def _files_of(board: Board, material: Material) -> list[EntryFile]:
    """Searches belong to the table of what they tuned, and are over."""
    own = [file for file in material.files if file["experiment"]["hash"] == board.setting["hash"]]
    return [file for file in own if ("tuning" in file and is_over(file) if board.tuned_from else "tuning" not in file)]


def runs_behind(row: Row, material: Material) -> list[Run]:
    """Those that chose its groups included."""
    return [material.runs[digest] for digest in row.hashes]


def plain_row(board: Board) -> Row | None:
    """The method that costs are compared with: the plain sum of the losses, whatever it is called."""
    return next((row for row in board.rows if not row.is_single_task and row.spending == "once"), None)


def time_ratio(runs: Sequence[Run], plain: Sequence[Run]) -> float | None:
    """Seconds per batch over those of the plain sum, on hosts that trained all of both; None where there is none."""
    hosts = set.intersection(*({_host(record) for record in run.values()} for run in (*runs, *plain)))
    if not hosts:
        return None
    spent, least = (
        sum(fmean(_seconds(record) for record in run.values() if _host(record) in hosts) for run in some)
        for some in (runs, plain)
    )
    return spent / least if least else None


def provenance(runs: Sequence[Run], material: Material) -> Provenance:
    """Folders in the path of a record tell: `submissions`, `published`, `tuned`; and what was sent in says of itself
    whether it was tuned."""
    parts = [set(material.paths[record["hash"], seed].parts) for run in runs for seed, record in run.items()]
    origins = {next((origin for name, origin in ORIGINS.items() if name in names), "ours") for names in parts}
    changed = dict.fromkeys(_options(run) for run in runs)
    sent = [material.sent[record["hash"]] for run in runs for record in run.values() if record["hash"] in material.sent]
    tuned = any(TUNED in names for names in parts) or any(submission.is_tuned for submission in sent)
    return Provenance(" and ".join(sorted(origins)), tuned, "; ".join(filter(None, changed)))


def record_paths(run: Run, material: Material) -> Iterator[tuple[int, Path]]:
    return ((seed, material.paths[record["hash"], seed]) for seed, record in sorted(run.items()))


def _options(run: Run) -> str:
    label: str = next(iter(run.values()))["method"]["label"]
    return label.partition(" (")[2].removesuffix(")")


def _host(record: Record) -> str:
    return record["measured"]["host"]


def _seconds(record: Record) -> float:
    return record["measured"]["seconds_per_step"]
