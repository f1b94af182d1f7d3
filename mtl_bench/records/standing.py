"""Where the cells of a grid stand, read off their folders; nothing is locked and nothing written."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mtl_bench.errors import BenchError, Damaged
from mtl_bench.records.entry import EntryFile
from mtl_bench.records.folder import DIGITS, RunFolder
from mtl_bench.records.lock import LOCK_NAME
from mtl_bench.records.presence import presence
from mtl_bench.records.reading import Readings, readings_in
from mtl_bench.records.record import SINGLE, has_converged, load_record

State = Literal["finished", "diverged", "damaged", "running", "stopped", "waiting"]


@dataclass(frozen=True)
class Standing:
    """One cell; `progress` is the share of its budget that is spent, `seconds` what that took (None: not known).

    `label` says more than the method's name where there is a record: the variant, or the task that was trained alone.
    """

    folder: RunFolder
    state: State
    progress: float
    seconds: float | None
    label: str = ""


def standing(folder: RunFolder, readings: Readings | None = None) -> Standing:
    """A single-task run may lie under the name of another experiment that it serves too, if its numbers were read off
    as this one asks (None: not known). A method is trained anew."""
    elsewhere = folder.namesakes() if folder.method == SINGLE and not folder.record.exists() else []
    found = next((other for other in elsewhere if _serves(other, readings)), folder)
    if found.record.exists():
        try:
            record = load_record(found.record)
        except Damaged:
            return Standing(folder, "damaged", 1.0, None)
        state: State = "finished" if has_converged(record) else "diverged"
        single = record["method"]["name"] == SINGLE
        label = f"{SINGLE} {record['tasks'][0]}" if single else record["method"]["label"]
        return Standing(folder, state, 1.0, record["measured"]["seconds"], label)
    seen = presence(folder.path / LOCK_NAME)
    if seen is not None:
        return Standing(folder, "running" if seen.alive else "stopped", seen.progress, seen.seconds)
    return Standing(folder, "stopped" if folder.checkpoint.exists() else "waiting", 0.0, None)


def _serves(other: RunFolder, readings: Readings | None) -> bool:
    try:
        return readings is None or readings_in(load_record(other.record)) == readings
    except Damaged:  # which is told
        return True


@dataclass(frozen=True)
class SearchStanding:
    """One search; `best` is the best score so far in percent, None before a trial has converged."""

    experiment: str
    label: str
    done: int
    trials: int
    best: float | None


def searches_of(files: Iterable[EntryFile]) -> list[SearchStanding]:
    """One for every network that is searched for."""
    found = []
    for file in files:
        for study in file["tuning"]["studies"] if "tuning" in file else ():
            who = file["label"].partition(", tuned")[0] if len(study["tasks"]) > 1 else f"{study['tasks'][0]} alone"
            scores = [trial["score"] for trial in study["trials"] if trial["score"] is not None]
            done, trials = len(study["trials"]), file["tuning"]["trials"]
            found.append(SearchStanding(file["experiment"]["name"], who, done, trials, max(scores, default=None)))
    return found


def trial_cells(files: Iterable[EntryFile]) -> set[tuple[str, int]]:
    """Hash, as folders are named by it, and seed of every trial: many runs, which a grid shows as searches."""
    tunings = [file["tuning"] for file in files if "tuning" in file]
    return {
        (trial["hash"][:DIGITS], one["seed"])
        for one in tunings
        for study in one["studies"]
        for trial in study["trials"]
    }


def cells_under(roots: Iterable[Path]) -> list[RunFolder]:
    """Every cell that was begun in some folders. Raises BenchError where there is none."""
    roots = list(roots)
    paths = [path for root in roots for path in sorted(root.resolve().rglob("seed-*")) if _is_cell(path)]
    if not paths:
        raise BenchError(
            f"No run was begun under {', '.join(map(str, roots))}; name the folder of runs, or the sweep: "
            "mtl-bench status -m … as it is typed after train."
        )
    return [_folder(path) for path in paths]


def _is_cell(path: Path) -> bool:
    """Copies that people put aside, as seed-0.bak, are none."""
    return re.fullmatch(r"seed-\d+", path.name) is not None and len(path.parents) > 3 and path.is_dir()


def _folder(path: Path) -> RunFolder:
    experiment, method, digits, seed = path.parts[-4:]
    return RunFolder(path.parents[3], experiment, method, digits, int(seed.removeprefix("seed-")))


def seconds_left(cells: Iterable[Standing]) -> float | None:
    """Of all that is neither finished nor lost, one after the other; None before anything says how long a run takes.

    A run is taken to be as long as those of its method that are finished or under way, else as those of its experiment,
    else as all.
    """
    cells = list(cells)
    left = 0.0
    for cell in cells:
        if cell.state in ("running", "stopped", "waiting"):
            whole = _whole(cell, cells)
            if whole is None:
                return None
            left += (1 - cell.progress) * whole
    return left


def _whole(cell: Standing, cells: list[Standing]) -> float | None:
    """Expected seconds of the cell's run from its start to its end."""
    own = [one for one in cells if one.folder.experiment == cell.folder.experiment]
    for alike in ([one for one in own if one.folder.method == cell.folder.method], own, cells):
        sound = [one for one in alike if one.state in ("finished", "running", "stopped")]  # others were given up early
        known = [one.seconds / one.progress for one in sound if one.seconds and one.progress > 0.02]
        if known:
            return sum(known) / len(known)
    return None
