"""What the jobs that end in an entry share: runs of several seeds, and the entry that stands on them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mtl_bench.errors import BenchError, Damaged, noting
from mtl_bench.job.job import Job
from mtl_bench.pipeline import Need
from mtl_bench.records import Record
from mtl_bench.records.entry import EntryFile, Group
from mtl_bench.records.identity import canonical
from mtl_bench.records.record import SCHEMA
from mtl_bench.training.checks import check_seed
from mtl_bench.training.plan import Plan
from mtl_bench.training.setting import PLAIN, method_label
from mtl_bench.training.trainer import Diverged


def records_of(
    job: Job, needs: Sequence[Need], seeds: Sequence[int], measure: tuple[str, Any] | None = None
) -> dict[Need, list[Record]]:
    """One record per seed of every need, trained where it is missing, of a run that was given up too. Raises Damaged
    after all that can be had."""
    damaged: list[Damaged] = []
    found: dict[Need, list[Record]] = {need: [] for need in needs}
    for need in needs:
        for seed in seeds:
            with noting(damaged):
                plan = job.plan(seed, need.tasks, measure if need.measuring else None)
                try:
                    record = job.cell(plan, quiet=True).record
                except Diverged as error:  # its record is there now
                    print(error)
                    record = job.cell(plan, quiet=True).record
                found[need].append(record)
    if damaged:
        raise Damaged(" ".join(map(str, damaged)))
    return found


def check_seeds(given: Any) -> list[int]:
    if not isinstance(given, list) or not given or len(set(map(str, given))) < len(given):
        raise BenchError(f"seeds is a list of different seeds, as in seeds=[0,1,2]; got {given!r}.")
    for seed in given:
        check_seed(seed)
    return sorted(given)


def by_method(plan: Plan) -> list[str]:
    """The method that trains an entry's networks, for its label; the plain one goes without saying."""
    return [] if plan.identity["method"] == canonical(PLAIN) else [method_label(plan.method, plan.identity)]


def entry_of(
    name: str,
    label: str,
    plan: Plan,
    seeds: list[int],
    groups: list[Group],
    measured_by: list[str],
    budget: int,
    grouping: Mapping[str, Any],
    value: float | None,
) -> EntryFile:
    """What one row of the plan's table stands on."""
    tasks, terms = list(plan.tasks), plan.reporting.delta_m["terms"]
    scored = plan.reporting.scored(tasks)
    return {
        "schema": SCHEMA,
        "id": name,
        "label": label,
        "experiment": {"name": plan.names.experiment, "hash": plan.setting.experiment_hash(tasks)},
        "tasks": tasks,
        "metrics": {
            task: {m.name: {"higher_is_better": m.higher_is_better, "unit": m.unit} for m in plan.tasks[task].metrics}
            for task in tasks
        },
        "selection": plan.reporting.selection.name,
        "delta_m": {
            "definition": plan.reporting.delta_m["definition"],
            "terms": {task: list(terms[task]) for task in scored},
        },
        "baselines": plan.setting.baselines(scored),
        "budget": budget,
        "grouping": dict(grouping),
        "seeds": seeds,
        "groups": groups,
        "measured_by": measured_by,
        "value": value,
    }
