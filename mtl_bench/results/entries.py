"""Entries: which run serves which task of one leaderboard row, at the same seeds for every task."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import astuple, dataclass
from math import isfinite
from statistics import fmean

import numpy as np

from mtl_bench.errors import BenchError, Damaged
from mtl_bench.records import Record
from mtl_bench.records.entry import EntryFile
from mtl_bench.records.record import has_converged
from mtl_bench.results.change import Terms
from mtl_bench.results.plain_sum import Spending, spending

ALL_DRAWS = "all draws"
Run = Mapping[int, Record]  # seed → record of one configuration


class TwiceTrained(BenchError):
    """Two records of one run and seed disagree; `cell` is its hash and seed, by which their files are found."""

    def __init__(self, record: Record) -> None:
        self.cell = record["hash"], record["seed"]
        label, digest = record["method"]["label"], record["hash"][:12]
        super().__init__(
            f"Two records of {label!r} (run {digest}, seed {record['seed']}) hold different test values, as two "
            "machines leave them; name folders that hold one of them."
        )


@dataclass(frozen=True)
class Cost:
    """Of one batch; with K paths every task's is a forward and a backward of its own. Seconds are as measured.

    Passes are forwards and backwards, those of a part of a batch at its share.
    """

    forwards: float
    backwards: float
    passes: float
    optimizer_steps: float
    seconds: float


@dataclass(frozen=True)
class Entry:
    """One row before any statistics: task t of seed n is read from seed n of `runs[t]`."""

    label: str
    runs: Mapping[str, Run]
    measured_by: tuple[Run, ...] = ()  # what choosing this entry's groups took; it serves no task but costs
    is_method: bool = True  # False: single-task runs, whether Δm is against them or not
    is_chosen: bool = False  # its groups or layers were chosen: no plain sum, whatever method trained them

    @property
    def seeds(self) -> list[int]:
        return sorted(set.intersection(*(set(run) for run in self.runs.values())))

    def converged(self, terms: Terms) -> list[int]:
        """Seeds of which every run converged and every judged value is a finite number."""
        return [seed for seed in self.seeds if all(_sound(self.runs[task][seed], task, terms[task]) for task in terms)]

    def values(self, seed: int) -> dict[str, dict[str, float]]:
        """Task → metric → test value of one seed."""
        return {task: run[seed]["test"].get(task, {}) for task, run in self.runs.items()}

    def every_seed(self, task: str) -> list[dict[str, float]]:
        """Metric → test value of each seed of the run that serves a task, those that other tasks lack included."""
        return [record["test"].get(task, {}) for _, record in sorted(self.runs[task].items())]

    def lost(self, terms: Terms) -> list[int]:
        """Seeds of whatever task that did not converge."""
        runs = [(task, seed, record) for task in terms for seed, record in self.runs[task].items()]
        return sorted({seed for task, seed, record in runs if not _sound(record, task, terms[task])})

    @property
    def _serving(self) -> dict[str, Run]:
        return {next(iter(run.values()))["hash"]: run for run in self.runs.values()}

    @property
    def behind(self) -> dict[str, Run]:
        """Hash → run, of all that the row stands on, those that chose its groups included."""
        return self._serving | {next(iter(run.values()))["hash"]: run for run in self.measured_by}

    @property
    def cost(self) -> Cost:
        """Means over seeds; several runs add up, as their training does. A run that only chose, and saw another number
        of batches than those that serve, counts in proportion.
        """
        serving = self._serving
        batches = _batches(next(iter(serving.values())))
        means = [
            np.mean([_cost(record) for record in run.values()], axis=0)
            * (1.0 if digest in serving else _batches(run) / batches)
            for digest, run in self.behind.items()
        ]
        return Cost(*np.sum(means, axis=0).tolist())

    def shares(self, seeds: Sequence[int]) -> dict[str, float]:
        """Task → effective gradient share, the mean over those seeds that were trained with diagnostics.

        Empty where several runs make the row: shares are of one training of all tasks.
        """
        distinct = list(self.behind.values())
        records = [distinct[0][seed] for seed in seeds] if len(distinct) == 1 else []
        found = [record["shares"] for record in records if "shares" in record]
        return {task: fmean(shares[task] for shares in found if task in shares) for task in (found[0] if found else ())}

    @property
    def passes(self) -> float:
        """Of whole runs, the mean over seeds; several runs add up, those that only chose included."""
        return sum(fmean(record["counts"]["passes"] for record in run.values()) for run in self.behind.values())

    @property
    def spending(self) -> Spending | None:
        """Of the one run that serves all tasks."""
        first, *others = (next(iter(run.values())) for run in self._serving.values())
        return None if others or self.is_chosen else spending(first)

    @property
    def parameters(self) -> int | None:
        """Of all networks that serve; None where a record of former versions does not tell."""
        counts = [next(iter(run.values())).get("parameters") for run in self._serving.values()]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    @property
    def hosts(self) -> set[str]:
        return {record["measured"]["host"] for run in self.runs.values() for record in run.values()}

    @property
    def mixes_data(self) -> bool:
        """Whether its runs read packed data of different bytes (another kind of processor renders other last bits)."""
        records = [record for run in self.runs.values() for record in run.values()]
        return len({record["environment"].get("data") for record in records}) > 1


@dataclass(frozen=True)
class MeanOfDraws(Entry):
    """What a random choice of groups gives on average (Fifty et al., NeurIPS 2021: a mean over draws), per seed."""

    draws: tuple[Entry, ...] = ()

    @property
    def seeds(self) -> list[int]:
        return sorted(set.intersection(*(set(draw.seeds) for draw in self.draws)))

    def converged(self, terms: Terms) -> list[int]:
        return [seed for seed in self.seeds if all(seed in draw.converged(terms) for draw in self.draws)]

    def values(self, seed: int) -> dict[str, dict[str, float]]:
        tables = [draw.values(seed) for draw in self.draws]
        return {
            task: {metric: fmean(table[task][metric] for table in tables) for metric in metrics}
            for task, metrics in tables[0].items()
        }

    @property
    def behind(self) -> dict[str, Run]:
        return {digest: run for draw in self.draws for digest, run in draw.behind.items()}

    @property
    def cost(self) -> Cost:
        return Cost(*np.mean([astuple(draw.cost) for draw in self.draws], axis=0).tolist())

    @property
    def passes(self) -> float:
        return fmean(draw.passes for draw in self.draws)

    @property
    def spending(self) -> Spending | None:
        return None

    @property
    def parameters(self) -> int | None:
        known = [draw.parameters for draw in self.draws if draw.parameters is not None]
        return round(fmean(known)) if len(known) == len(self.draws) else None

    @property
    def hosts(self) -> set[str]:
        return set[str]().union(*(draw.hosts for draw in self.draws))

    @property
    def mixes_data(self) -> bool:
        return any(draw.mixes_data for draw in self.draws)


def method_entries(records: Sequence[Record]) -> list[Entry]:
    """One entry per configuration; equal labels get the head of their hash, so that no two rows read alike."""
    runs = by_hash(records)
    labels = [next(iter(run.values()))["method"]["label"] for run in runs.values()]
    entries = []
    for (digest, run), label in zip(runs.items(), labels, strict=True):
        name = label if labels.count(label) == 1 else f"{label} ({digest[:6]})"
        entries.append(Entry(name, dict.fromkeys(next(iter(run.values()))["tasks"], run)))
    return entries


def group_entries(files: Sequence[EntryFile], records: Sequence[Record]) -> list[Entry]:
    """What `mtl-bench group` and `recon` left, and the mean of random choices that differ in their draw alone. Of one
    draw that several entries hold, their mean counts.

    Raises Damaged when a run that an entry names is not among the records.
    """
    runs = by_hash(records)
    entries: list[Entry] = []
    draws: dict[str, dict[int, list[Entry]]] = {}
    for file, name in zip(files, told_apart(files), strict=True):
        check_runs(file, runs.keys())
        serving = {task: runs[group["hash"]] for group in file["groups"] for task in group["serves"]}
        measured = tuple(runs[digest] for digest in file["measured_by"])
        entry = Entry(name, {task: serving[task] for task in file["tasks"]}, measured, is_chosen=True)
        entries.append(entry)
        if (draw := file["grouping"].get("draw")) is not None:
            kind = file["label"].replace(f"draw={draw}", ALL_DRAWS)
            draws.setdefault(kind, {}).setdefault(draw, []).append(entry)
    means = [
        MeanOfDraws(label.replace(ALL_DRAWS, f"mean of {len(of)} draws"), {}, draws=tuple(map(_one_draw, of.values())))
        for label, of in draws.items()
        if len(of) > 1
    ]
    return [*entries, *means]


def without_copies(files: Sequence[EntryFile]) -> list[EntryFile]:
    """Of the files of one entry the one that is furthest, with most seeds: a copy is no second row.

    A search names its networks before it trains them, and has a value when they are.
    """

    def reached(file: EntryFile) -> tuple[int, bool, int]:
        return len(file["groups"]), file["value"] is not None, len(file["seeds"])

    kept: dict[tuple[str, ...], EntryFile] = {}
    for file in files:
        key = file["id"], file["label"], file["experiment"]["hash"], file["selection"]
        kept[key] = max(kept.get(key, file), file, key=reached)
    return list(kept.values())


def told_apart(files: Sequence[EntryFile]) -> list[str]:
    """Their labels; equal ones get the head of their name's hash, so that no two rows read alike."""
    labels = [file["label"] for file in files]
    return [
        label if labels.count(label) == 1 else f"{label} ({file['id'][-8:-2]})"
        for file, label in zip(files, labels, strict=True)
    ]


def _one_draw(entries: Sequence[Entry]) -> Entry:
    return entries[0] if len(entries) == 1 else MeanOfDraws(entries[0].label, {}, draws=tuple(entries))


def runs_of(file: EntryFile) -> set[str]:
    """Hashes of the runs that an entry needs."""
    return {*file["measured_by"], *(group["hash"] for group in file["groups"])}


def check_runs(file: EntryFile, known: Set[str]) -> None:
    """Raises Damaged when a run that the entry needs is not among the known ones."""
    if missing := sorted(runs_of(file) - known):
        raise Damaged(
            f"Entry {file['id']} needs run {missing[0][:12]}, whose record is not in these folders; name the "
            "folder where it lies, or run its `mtl-bench group`, `recon` or `tune` again."
        )


def by_hash(records: Iterable[Record]) -> dict[str, dict[int, Record]]:
    """Hash → seed → record. Raises TwiceTrained when two records of one run and seed disagree."""
    runs: dict[str, dict[int, Record]] = {}
    for record in records:
        known = runs.setdefault(record["hash"], {}).setdefault(record["seed"], record)
        if not same_values(known, record):
            raise TwiceTrained(record)
    return runs


def same_values(first: Record, second: Record) -> bool:
    """Whether two copies of one run hold the same test values."""
    return repr(first["test"]) == repr(second["test"])  # repr: the NaN of a diverged run equals itself


def _batches(run: Run) -> float:
    return max(1.0, fmean(record["counts"]["batches"] for record in run.values()))


def _cost(record: Record) -> list[float]:
    counts, batches = record["counts"], max(record["counts"]["batches"], 1)
    spent = [counts["forwards"], counts["backwards"], counts["passes"], counts["optimizer_steps"]]
    return [*(count / batches for count in spent), record["measured"]["seconds_per_step"]]


def _sound(record: Record, task: str, metrics: Sequence[str]) -> bool:
    table = record["test"].get(task, {})
    return has_converged(record) and all(isfinite(table[metric]) for metric in metrics if metric in table)
