"""Tuned entries: which of their runs a row may read, and which no row may."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mtl_bench.records import Record
from mtl_bench.records.entry import EntryFile, Trial, Tuning
from mtl_bench.results.entries import Entry, by_hash, told_apart

Budget = tuple[Any, ...]


def without_trials(records: Sequence[Record], files: Iterable[EntryFile]) -> list[Record]:
    """A trial was looked at when its winner was chosen, so that its numbers flatter it."""
    trials = trial_runs(files)
    return [record for record in records if (record["hash"], record["seed"]) not in trials]


def trial_runs(files: Iterable[EntryFile]) -> set[tuple[str, int]]:
    """Hash and seed: the first trial is the configuration as it stands, which has a row by its other seeds."""
    return {
        (trial["hash"], file["tuning"]["seed"])
        for file in files
        if "tuning" in file
        for study in file["tuning"]["studies"]
        for trial in study["trials"]
    }


def budget_of(tuning: Tuning) -> Budget:
    """What must be equal for two tuned rows to share a table."""
    told = {key: value for key, value in tuning.items() if key != "studies"}
    return tuple(str(told[key]) for key in sorted(told))


def budget_in_words(tuning: Tuning) -> str:
    whole = tuning["epochs"] is None
    return f"{tuning['trials']} trials" + ("" if whole else f" of {tuning['epochs']:g} epochs")


def short_budget(tuning: Tuning) -> str:
    """As part of a name: tuned-20, or tuned-20x5 with five epochs per trial."""
    return f"tuned-{tuning['trials']}" + ("" if tuning["epochs"] is None else f"x{tuning['epochs']:g}")


def is_over(file: EntryFile) -> bool:
    """Whether every winner is trained: the groups name them before, and the value comes last."""
    return bool(file["groups"]) and file["value"] is not None


def is_alone(file: EntryFile) -> bool:
    """Whether an entry is the one of tuned single-task runs."""
    return all(len(study["tasks"]) == 1 for study in file["tuning"]["studies"])


def tuned_entries(files: Sequence[EntryFile], records: Sequence[Record]) -> list[Entry]:
    """Rows of the winners, over all their seeds but the trials'."""
    runs = by_hash(records)
    entries = []
    for file, name in zip(files, told_apart(files), strict=True):
        seed = file["tuning"]["seed"]
        fresh = {
            task: {number: record for number, record in runs[group["hash"]].items() if number != seed}
            for group in file["groups"]
            for task in group["serves"]
        }
        entries.append(Entry(name, fresh))
    return entries


def told_of_search(tuning: Tuning) -> str:
    """What every row of a tuned table stands on."""
    budget = "the whole budget" if tuning["epochs"] is None else f"{tuning['epochs']:g} epochs"
    return (
        f"Every search had {tuning['trials']} trials of {budget}, the first as configured, the others drawn by "
        f"{tuning['sampler']} (seed {tuning['sampler_seed']}), and took the best {tuning['score']}; these have seed "
        f"{tuning['seed']}, which no row counts."
    )


def told_of_winners(file: EntryFile) -> list[str]:
    """What won, a line for each network."""
    lines = []
    for study in file["tuning"]["studies"]:
        if study["winner"] is not None:
            who = f"{study['tasks'][0]} alone" if len(study["tasks"]) == 1 else file["label"].partition(", tuned")[0]
            lines.append(f"{who}: trial {study['winner'] + 1}, {trial_in_words(study['trials'][study['winner']])}.")
    return lines


def trial_in_words(trial: Trial) -> str:
    """Values and score."""
    values = ", ".join(f"{_short(key)}={_value(value)}" for key, value in trial["values"].items())
    score = "did not converge" if trial["score"] is None else f"{trial['score']:+.2f} %".replace("-", "−")
    return f"{values} → {score}"


def searched_keys(row: Iterable[str], files: Iterable[EntryFile]) -> list[str]:
    """What was searched for the networks of a row, named by the hashes of their runs; empty for one as configured."""
    hashes = set(row)
    won = [file["tuning"] for file in files if "tuning" in file and hashes & {one["hash"] for one in file["groups"]}]
    return list(dict.fromkeys(_short(key) for tuning in won for study in tuning["studies"] for key in study["space"]))


def _short(key: str) -> str:
    return key.removeprefix("protocol.training.optimizer.")


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_value(part)}" for name, part in value.items()) + "}" if value else "equal"
    return f"{value:g}" if isinstance(value, float) else str(value)
