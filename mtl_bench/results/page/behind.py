"""The runs behind the rows of a board, and where they come from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from mtl_bench.records import Record
from mtl_bench.records.record import SINGLE
from mtl_bench.results.board import Board
from mtl_bench.results.entries import Run
from mtl_bench.results.page.material import Material
from mtl_bench.results.row import Row
from mtl_bench.results.worth import trials_of

ORIGINS = {"submissions": "submitted", "published": "published"}  # by names of folders; all other records are ours
TUNED = "tuned"  # likewise


@dataclass(frozen=True)
class Provenance:
    """Whose runs they are, whether their options were searched and which where that is known, and in what the method's
    differ from its defaults."""

    origin: str
    tuned: bool
    options: str
    searched: tuple[str, ...] = ()

    def __str__(self) -> str:
        tuned = f"{TUNED} ({', '.join(self.searched)})" if self.searched else TUNED if self.tuned else "not tuned"
        default = "default options otherwise" if self.tuned else "default options"
        return f"{self.origin} · {tuned} · {self.options or default}"


def methods_of(board: Board, material: Material) -> list[Record]:
    """Their records on this board, single-task runs left out."""
    own = [record for record in material.records if record["experiment"]["hash"] == board.setting["hash"]]
    return [record for record in own if record["method"]["name"] != SINGLE]


def runs_behind(board: Board, row: Row) -> list[Run]:
    """Those that chose its groups included."""
    return list(board.entries[row.label].behind.values())


def plain_row(board: Board, row: Row) -> Row | None:
    """What a row is compared with: the plain sum of the losses, whatever it is called, searched as often as the row."""
    plain = (one for one in board.rows if one.spending == "once" and one.is_method)
    return next((one for one in plain if trials_of(one.label) == trials_of(row.label)), None)


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
    parts = [set(material.path_of(record).parts) for run in runs for record in run.values()]
    origins = {next((origin for name, origin in ORIGINS.items() if name in names), "ours") for names in parts}
    changed = dict.fromkeys(_options(run) for run in runs)
    sent = [material.sent[record["hash"]] for run in runs for record in run.values() if record["hash"] in material.sent]
    tuned = any(TUNED in names for names in parts) or any(submission.is_tuned for submission in sent)
    return Provenance(" and ".join(sorted(origins)), tuned, "; ".join(filter(None, changed)))


def record_paths(run: Run, material: Material) -> Iterator[tuple[int, Path]]:
    return ((seed, material.path_of(record)) for seed, record in sorted(run.items()))


def _options(run: Run) -> str:
    label: str = next(iter(run.values()))["method"]["label"]
    return label.partition(" (")[2].removesuffix(")")


def _host(record: Record) -> str:
    return record["measured"]["host"]


def _seconds(record: Record) -> float:
    return record["measured"]["seconds_per_step"]
