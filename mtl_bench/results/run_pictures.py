"""Which runs kept pictures of their predictions, and which of them to show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_bench.errors import BenchError, Damaged, noting
from mtl_bench.records import Record
from mtl_bench.records.folder import PREDICTIONS_NAME
from mtl_bench.records.record import RECORD_NAME, SINGLE, has_converged, load_record
from mtl_bench.results.board import Board
from mtl_bench.results.entries import method_entries


@dataclass(frozen=True)
class RunPictures:
    """A finished run with the file of its pictures."""

    record: Record
    path: Path

    @property
    def name(self) -> str:
        record, label = self.record, self.record["method"]["label"]
        shown = f"{record['tasks'][0]} alone" if record["method"]["name"] == SINGLE else label
        return f"{record['experiment']['name']} · {shown} · seed {record['seed']}"


def find_run_pictures(roots: Iterable[Path], damaged: list[Damaged] | None = None) -> list[RunPictures]:
    """Every finished run below the roots that kept pictures, in the order of their paths.

    Records that cannot be used are told to `damaged`; None: the first one is raised.
    """
    runs = []
    for path in sorted({path.resolve() for root in roots for path in root.rglob(PREDICTIONS_NAME)}):
        if path.with_name(RECORD_NAME).is_file():
            with noting(damaged):
                runs.append(RunPictures(load_record(path.with_name(RECORD_NAME)), path))
    return runs


def choose_run_pictures(
    runs: Sequence[RunPictures],
    boards: Sequence[Board],
    records: Sequence[Record],
    experiment: str | None = None,
    method: str | None = None,
) -> list[RunPictures]:
    """One run per setting: the lowest converged seed of the best Δm or, where no run has a Δm, the newest.

    `method` is the name or the label of a method; without it single-task runs are not considered. Runs that are not
    among the records, as trials of a search, are never shown.
    Raises BenchError when nothing is left to choose from.
    """
    known = {(record["hash"], record["seed"]) for record in records}
    kept = [one for one in runs if (one.record["hash"], one.record["seed"]) in known]
    here = [one for one in kept if experiment in (None, one.record["experiment"]["name"])]
    wanted = [one for one in here if _is_wanted(one.record, method)]
    if not wanted:
        raise _nothing(here, method)
    settings: dict[str, list[RunPictures]] = {}
    for one in wanted:
        settings.setdefault(one.record["experiment"]["hash"], []).append(one)
    places = {digest: place for board in boards for digest, place in _places(board, records).items()}
    return [_best(group, places) for group in settings.values()]


def name_files(chosen: Sequence[RunPictures], path: Path) -> list[Path]:
    """`path` for one run, else a file beside it per run: `<stem>-<experiment>`, with a hash where those agree."""
    names = [one.record["experiment"]["name"].replace("/", "-") for one in chosen]
    if len(chosen) == 1:
        return [path]
    digests = [one.record["experiment"]["hash"][:6] for one in chosen]
    endings = [n if names.count(n) == 1 else f"{n}-{digest}" for n, digest in zip(names, digests, strict=True)]
    return [path.with_stem(f"{path.stem}-{ending}") for ending in endings]


def _is_wanted(record: Record, method: str | None) -> bool:
    name, label = record["method"]["name"], record["method"]["label"]
    return name != SINGLE if method is None else method.lower() in (name.lower(), label.lower())


def _nothing(here: Sequence[RunPictures], method: str | None) -> BenchError:
    if method is not None and here:
        known = ", ".join(sorted({one.record["method"]["name"] for one in here}))
        return BenchError(f"No run of {method} kept predictions; choose --method among {known}.")
    if here:
        return BenchError(f"Only single-task runs kept predictions here; choose them with --method {SINGLE}.")
    return BenchError(
        "No run here kept predictions: an experiment with a dense task keeps those of `options.pictures` test samples, "
        "4 unless you say otherwise; to get them of a finished run, delete its record.json and train it again (from "
        "its checkpoint, if that is still there)."
    )


def _places(board: Board, records: Sequence[Record]) -> dict[str, int]:
    """Run hash → its place among the methods of the board; empty where no Δm ranks them."""
    if not any(row.delta_m for row in board.rows):
        return {}
    order = {row.label: place for place, row in enumerate(board.rows)}
    methods = [
        record
        for record in records
        if record["experiment"]["hash"] == board.hash and record["method"]["name"] != SINGLE
    ]
    return {
        record["hash"]: order[entry.label]
        for entry in method_entries(methods)
        for run in entry.runs.values()
        for record in run.values()
    }


def _best(group: Sequence[RunPictures], places: dict[str, int]) -> RunPictures:
    ranked = [one for one in group if one.record["hash"] in places]
    if ranked:
        return min(
            ranked, key=lambda one: (not has_converged(one.record), places[one.record["hash"]], one.record["seed"])
        )
    return max(group, key=lambda one: (has_converged(one.record), one.record["measured"]["finished"]))
