"""What an entry says of its networks is what their records say, and its searches end as their scores do."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mtl_bench.records import Record
from mtl_bench.records.entry import EntryFile, Group, Tuning, best_of
from mtl_bench.records.record import SINGLE
from mtl_bench.results.entries import Run, runs_of
from mtl_bench.results.tuned_rows import trial_runs
from mtl_bench.results.validation.one_board import SEEDS


def check_entry(entry: EntryFile, runs: Mapping[str, Run]) -> Iterator[str]:
    """Of what is not among the `runs`, by their hash, nothing is asked."""
    served = [task for group in entry["groups"] for task in group["serves"]]
    # tuned single-task runs serve what counts in Δm, and auxiliary tasks never
    needed = entry["delta_m"]["terms"] if "tuning" in entry else entry["tasks"]
    if entry["groups"] and not (set(needed) <= set(served) <= set(entry["tasks"]) and len(set(served)) == len(served)):
        yield f"its networks serve {', '.join(served)}, and not each of {', '.join(needed)} once"
    for group in entry["groups"]:
        if not set(group["serves"]) <= set(group["tasks"]):
            yield f"a network of {', '.join(group['tasks'])} serves {', '.join(group['serves'])}"
        if run := runs.get(group["hash"]):
            yield from _network(entry, group, next(iter(run.values())))
    if "tuning" in entry:
        yield from _search(entry["groups"], entry["tuning"])


def few_seeds(entry: EntryFile, runs: Mapping[str, Run]) -> Iterator[str]:
    """Of a tuned row, which the seed of its trials is none of."""
    if "tuning" in entry:
        fresh = [runs.get(group["hash"], {}).keys() - {entry["tuning"]["seed"]} for group in entry["groups"]]
        if fresh and (count := min(map(len, fresh))) < SEEDS:
            yield f"has {count} seed{'s' * (count != 1)} beside that of its trials, and a row needs {SEEDS}"


def searched_runs(entries: Iterable[EntryFile], runs: Mapping[str, Run]) -> set[tuple[str, int]]:
    """Hash and seed of trials and of winners: these stand on the seeds and single-task runs of their searches."""
    tuned = [entry for entry in entries if "tuning" in entry]
    winners = set[str]().union(*map(runs_of, tuned))
    return trial_runs(tuned) | {(digest, seed) for digest in winners for seed in runs.get(digest, ())}


def _network(entry: EntryFile, group: Group, record: Record) -> Iterator[str]:
    """A single-task run may lie under another protocol's reporting, and serves this one all the same."""
    run = f"run {group['hash'][:12]}"
    if record["tasks"] != group["tasks"]:
        yield f"{run} trained {', '.join(record['tasks'])}, and not {', '.join(group['tasks'])}"
        return
    alike: dict[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
        "metrics": (record["metrics"], entry["metrics"])
    }
    if record["method"]["name"] != SINGLE:
        if record["selection"] != entry["selection"]:
            yield f"{run} has the selection rule {record['selection']!r}, and not {entry['selection']!r}"
        alike["terms of Δm"] = record["delta_m"]["terms"], entry["delta_m"]["terms"]
        if "tuning" not in entry and "split" not in entry:  # else its single-task runs are those of what was chosen
            alike["single-task runs"] = record["baselines"], entry["baselines"]
    for what, (own, told) in alike.items():
        if any(own.get(task) != told.get(task) for task in group["tasks"]):
            yield f"the {what} of {run} are not the entry's"


def _search(groups: Sequence[Group], tuning: Tuning) -> Iterator[str]:
    studies = tuning["studies"]
    wrong = [study for study in studies if study["winner"] is not None and study["winner"] != best_of(study["trials"])]
    for study in wrong:
        yield f"the winner of {', '.join(study['tasks'])} is not its best trial, the first of several"
    if not groups or wrong:
        return
    if [study["tasks"] for study in studies] != [group["tasks"] for group in groups]:
        yield "its networks are not those of its searches"
        return
    for study, group in zip(studies, groups, strict=True):
        if study["winner"] is None:
            yield f"the search of {', '.join(study['tasks'])} has no winner, and the entry names its run"
        elif tuning["epochs"] is None and study["trials"][study["winner"]]["hash"] != group["hash"]:
            yield f"the run of {', '.join(study['tasks'])} is not that of its best trial"
