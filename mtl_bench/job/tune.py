"""`mtl-bench tune`: search every task alone and one method alike, train winners on fresh seeds, an entry for each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from pathlib import Path
from statistics import fmean
from typing import Any

from mtl_bench.errors import BenchError
from mtl_bench.job.entry_runs import entry_of
from mtl_bench.job.job import Job
from mtl_bench.job.patient_cell import patient_cell
from mtl_bench.job.search_settings import SearchSettings
from mtl_bench.pipeline.search import search
from mtl_bench.pipeline.search_space import space_of, values_at, with_values
from mtl_bench.records import Record
from mtl_bench.records.entry import FOLDER, EntryFile, Study, Trial, best_of, save_entry
from mtl_bench.records.identity import canonical, canonical_hash
from mtl_bench.records.record import SINGLE
from mtl_bench.records.spent import has_score
from mtl_bench.results import delta_m
from mtl_bench.results.tuned_rows import is_over, trial_in_words
from mtl_bench.training.arguments import check_node
from mtl_bench.training.plan import Plan
from mtl_bench.training.setting import method_label, training_of

SCORE = "validation Δm (task_mean) in % against the untuned single-task runs of the trials' seed"


def tune(job: Job) -> None:
    """Raises BenchError when nothing can be searched here or no trial converged. Every run is found again."""
    settings = SearchSettings.of(job.plain)
    plan = job.plan()
    if plan.single:
        raise BenchError("Every task alone is tuned beside each method; leave `only` out, or name two tasks.")
    if plan.training.val == "none" or not plan.packed.manifest.splits.get("val"):
        raise BenchError("Tuning asks the validation split, and this protocol has none; an experiment NAME_val may.")
    tuner = Tuner(job, settings, plan)
    tuner.check()
    tuner.tune_alone()
    tuner.tune_method()


@dataclass(frozen=True)
class Tuner:
    """`plan` is the configuration as it stands, under the trials' seed."""

    job: Job
    settings: SearchSettings
    plan: Plan

    @property
    def tasks(self) -> list[str]:
        return list(self.plan.tasks)

    @property
    def scored(self) -> list[str]:
        return self.plan.reporting.scored(self.plan.tasks)

    def check(self) -> None:
        """That everything can be drawn, and that the method takes what is, before the first run."""
        for tasks in ([task] for task in self.scored):
            self._space(tasks)
        space, seed = self._space(self.tasks), self.settings.sampler_seed
        *_, drawn = search(lambda values: ("", 0.0), values_at(self.job.plain, list(space)), space, 2, "random", seed)
        try:
            check_node(with_values(self.job.plain, drawn["values"])["method"], "method")
        except BenchError as error:
            raise BenchError(f"{error} The search draws such values; give space a list to choose from.") from error

    def tune_alone(self) -> None:
        asked = [canonical(self._space([task])) for task in self.scored]
        name = self._named(SINGLE, asked)
        self._tune(name, "single-task", [[task] for task in self.scored], self.settings.single_seeds)

    def tune_method(self) -> None:
        space, name = self._space(self.tasks), self.plan.names.method
        searched = {key.split(".")[1] for key in space if key.startswith("method.")}
        kept = {key: value for key, value in self.plan.identity["method"].items() if key not in searched}
        label = self.job.plain["label"] or method_label(name, {"method": kept})
        self._tune(self._named(name, [canonical(space), self.plan.identity]), label, [self.tasks], self.settings.seeds)

    def _tune(self, name: str, label: str, networks: list[list[str]], seeds: list[int]) -> None:
        """One row: a search for every network, its winner trained with every seed, and the file that says so."""
        path = self.job.place.runs / self.plan.names.experiment / FOLDER / f"{name}.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(
                f"{path.parent} cannot be created ({error.strerror}); choose another paths.runs."
            ) from error
        studies: list[Study] = [
            {"tasks": tasks, "space": self._space(tasks), "trials": [], "winner": None} for tasks in networks
        ]
        entry = self._entry(name, label, seeds, studies)
        over = _is_over(path)  # what has a row keeps it while its runs are found again
        for study in studies:
            self._search(study, label, path, None if over else entry)
        best = [study["trials"][study["winner"]] for study in studies if study["winner"] is not None]
        winners = [self._winner(of["tasks"], trial, seeds) for of, trial in zip(studies, best, strict=True)]
        entry["groups"] = [{"tasks": list(p.tasks), "serves": list(p.tasks), "hash": p.hash} for _, (p, *_) in winners]
        if not over and not _is_over(path):
            save_entry(path, entry)  # boards hide what it names, from the first of these runs on
        for job, plans in winners:
            for plan in plans:
                patient_cell(job, plan)
        entry["value"] = fmean(trial["score"] or 0.0 for trial in best)
        save_entry(path, entry)
        print(f"{path}: the entry, with seeds {', '.join(map(str, seeds))}; `mtl-bench report` shows its row.\n")

    def _search(self, study: Study, label: str, path: Path, entry: EntryFile | None) -> None:
        """Fills the study, and saves it after each trial where there is an `entry`: boards hide what it names."""
        tasks, settings = study["tasks"], self.settings
        job = self._job(tasks)
        who = f"{tasks[0]} alone" if len(tasks) == 1 else label

        def run(values: dict[str, Any]) -> tuple[str, float]:
            record = patient_cell(job, self._trial(job, values).plan(only=tasks))
            return record["hash"], self._score(record)

        first = values_at(job.plain, list(study["space"]))
        found = search(run, first, study["space"], settings.trials, settings.sampler, settings.sampler_seed)
        for number, trial in enumerate(found, 1):
            study["trials"].append(trial)
            if entry is not None:
                if not _is_over(path):  # another process that tunes the same may have been faster
                    save_entry(path, entry)
                print(f"{who}, trial {number} of {settings.trials}: {trial_in_words(trial)}", flush=True)
        study["winner"] = best_of(study["trials"])
        if study["winner"] is None:
            raise BenchError(f"No trial of {who} converged; search lower learning rates, as in rates=[0.01,1].")
        if entry is not None:
            best = study["trials"][study["winner"]]
            print(f"{who}: trial {study['winner'] + 1} of {settings.trials} wins, {trial_in_words(best)}.")

    def _winner(self, tasks: list[str], trial: Trial, seeds: list[int]) -> tuple[Job, list[Plan]]:
        """What trains it, a plan for each seed."""
        job = self._job(tasks)
        tuned = replace(job, plain=with_values(job.plain, trial["values"]))
        return tuned, [tuned.plan(seed, tasks) for seed in seeds]

    def _job(self, tasks: list[str]) -> Job:
        """Of one task alone with what the protocol changes for it written out, so that a search changes that."""
        protocol = self.job.plain["protocol"]
        if len(tasks) > 1 or not protocol["reporting"].get("single_training"):
            return self.job
        reporting = {key: value for key, value in protocol["reporting"].items() if key != "single_training"}
        training = training_of(tasks, protocol["training"], protocol["reporting"])
        return replace(self.job, plain={**self.job.plain, "protocol": {"training": training, "reporting": reporting}})

    def _trial(self, job: Job, values: Mapping[str, Any]) -> Job:
        plain = with_values(job.plain, values)
        if self.settings.epochs is not None:
            budget = plain["protocol"]["training"]["budget"]
            plain["protocol"]["training"]["budget"] = {**budget, "amount": self.settings.epochs, "unit": "epochs"}
        return replace(job, plain=plain)

    def _space(self, tasks: list[str]) -> dict[str, Any]:
        return space_of(self._job(tasks).plain, tasks, self.settings.rates)

    def _named(self, name: str, asked: list[Any]) -> str:
        told = [self.plan.setting.experiment_hash(self.tasks), canonical(self.settings.told), *asked]
        return f"tuned-{name}-{canonical_hash(told)[:8]}"

    def _score(self, record: Record) -> float:
        reference = self._reference  # before anything else: without it no trial has a score
        if not has_score(record):
            return -inf
        terms = record["delta_m"]["terms"]
        better = {t: {name: info["higher_is_better"] for name, info in m.items()} for t, m in record["metrics"].items()}
        return delta_m(record["val"], reference, better, "task_mean", terms)

    @cached_property
    def _reference(self) -> dict[str, dict[str, float]]:
        """Validation values of every task alone, as the configuration stands: the first trials of their searches."""
        found = {}
        for task in self.scored:
            job = self._job([task])
            record = patient_cell(job, self._trial(job, {}).plan(only=[task]))
            if not has_score(record):
                raise BenchError(
                    f"The single-task run of {task} with seed {record['seed']}, which trials are compared with, did "
                    "not converge; lower protocol.training.optimizer.lr."
                )
            found[task] = record["val"][task]
        return found

    def _entry(self, name: str, label: str, seeds: list[int], studies: list[Study]) -> EntryFile:
        tuned = f"{label}, tuned ({self.settings.budget})"
        entry = entry_of(name, tuned, self.plan, seeds, [], [], len(studies), {}, None)
        # One list of studies for the file and for who fills it.
        entry["tuning"] = {**self.settings.told, "score": SCORE, "studies": studies}  # type: ignore[typeddict-item]
        return entry


def _is_over(path: Path) -> bool:
    try:
        return is_over(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError):
        return False
