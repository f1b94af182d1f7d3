"""Entries: one JSON per chosen set of networks, saying which run serves which task of a leaderboard row."""

import json
from collections.abc import Iterable, Sequence
from math import inf
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from mtl_bench.errors import BenchError, Damaged, noting
from mtl_bench.records.atomic import write_atomic
from mtl_bench.records.record import SCHEMA, Shared, check_shape

FOLDER = "entries"


class Group(TypedDict):
    tasks: list[str]  # trained together
    serves: list[str]  # the tasks whose predictions are taken from this network
    hash: str  # of its runs, one per seed


class Trial(TypedDict):
    """One run of a search. The first is the configuration as it stands."""

    values: dict[str, Any]  # key of the configuration → what the trial gave it
    hash: str  # of its run
    score: float | None  # None: the run did not converge


class Study(TypedDict):
    """One search: for a method on all tasks, or for one task alone."""

    tasks: list[str]  # trained together
    space: dict[str, Any]  # key of the configuration → what was searched
    trials: list[Trial]  # in order
    winner: int | None  # the trial with the best score, the first of several; None: the search is not over


class Tuning(TypedDict):
    """How values were chosen. Rows of one table share all but the studies."""

    trials: int  # of every study
    epochs: float | None  # of each trial; None: the protocol's whole budget
    rates: list[float]  # learning rates searched, in multiples of the protocol's
    sampler: str  # random, or Optuna's tpe
    sampler_seed: int  # of the draws
    seed: int  # of every trial; the row's seeds are others
    score: str  # what was maximised, in words
    studies: list[Study]  # of a method one; of single-task runs one for every task


class EntryFile(Shared):
    """What `mtl-bench group`, `mtl-bench recon` and `mtl-bench tune` leave beside the records of their runs."""

    schema: int  # version of this form
    id: str  # the name of its file
    label: str  # as in tables
    budget: int  # networks at most
    grouping: dict[str, Any]  # how the groups, or the layers, were chosen, as configured
    split: NotRequired[list[str]]  # layers of which every task has a copy; the groups are then one network
    tuning: NotRequired[Tuning]  # the search behind the networks, of which there are none before it has winners
    seeds: list[int]  # of the measurement; groups are chosen once for all of them
    groups: list[Group]  # the networks
    measured_by: list[str]  # hashes of the runs that the choice needed; their cost counts
    value: float | None  # mean predicted score of the serving groups, or of winners once they are trained; None: none


def best_of(trials: Sequence[Trial]) -> int | None:
    """The number of the trial with the best score, of several the first; None where none converged."""
    scores = [-inf if trial["score"] is None else trial["score"] for trial in trials]
    best = max(range(len(scores)), key=scores.__getitem__, default=None)
    return None if best is None or scores[best] == -inf else best


def save_entry(path: Path, entry: EntryFile) -> None:
    """Write a valid entry."""
    check_shape(entry, EntryFile, "entry")
    write_atomic(path, json.dumps(entry, indent=1) + "\n")


def find_entries(roots: Iterable[Path], damaged: list[Damaged] | None = None) -> list[EntryFile]:
    """Every entry below the roots, each file once.

    Those that cannot be used are told to `damaged`; None: the first one is raised.
    """
    entries = []
    for path in sorted({path.resolve() for root in roots for path in root.rglob(f"{FOLDER}/*.json")}):
        with noting(damaged):
            entries.append(_load(path))
    return entries


def _load(path: Path) -> EntryFile:
    try:
        entry = json.loads(path.read_bytes())
        check_shape(entry, EntryFile, "entry")
    except (OSError, ValueError, BenchError) as error:
        raise Damaged(
            f"{path} cannot be used ({error}); delete it and run its `mtl-bench group`, `recon` or `tune` again."
        ) from error
    if entry["schema"] != SCHEMA:
        raise Damaged(f"{path} does not follow schema {SCHEMA}; read it with the version that wrote it.")
    return cast(EntryFile, entry)
