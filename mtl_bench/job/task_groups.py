"""`mtl-bench group`: measure, choose, train the groups, one entry. Every stage is found again and resumed."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from mtl_bench.errors import BenchError, Damaged, noting
from mtl_bench.job.job import Job
from mtl_bench.pipeline import Choice, Grouping, Need
from mtl_bench.pipeline.choice_files import print_choice, write_choice
from mtl_bench.records import Record, identity_hash
from mtl_bench.records.entry import FOLDER, EntryFile, Group, save_entry
from mtl_bench.records.identity import canonical
from mtl_bench.records.record import SCHEMA, has_converged
from mtl_bench.training.arguments import check_node
from mtl_bench.training.build import build
from mtl_bench.training.checks import check_seed
from mtl_bench.training.plan import Plan
from mtl_bench.training.setting import PLAIN, method_label


def group(job: Job) -> None:
    """Raises BenchError when the groups cannot be chosen, RunLocked when another process trains one of the runs.

    A damaged record is named once all other runs are there.
    """
    node = dict(job.plain["grouping"])
    measuring = node.pop("measure", None)
    check_node(measuring, "grouping.measure")
    measure = None if measuring is None else (job.choices.method_name(measuring, "method@grouping.measure"), measuring)
    grouping, seeds, budget = build(node, "grouping", Grouping), _seeds(job.plain["seeds"]), job.plain["budget"]
    plan = job.plan(seeds[0])
    tasks = list(plan.tasks)
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
        raise BenchError(f"budget counts networks, 1 or more; got {budget!r}.")
    if len(scored := plan.reporting.scored(tasks)) < len(tasks):
        raise BenchError(
            "Groups are chosen by what their tasks gain, and some count in no Δm here; leave those out with "
            f"only=[{','.join(scored)}]."
        )
    if len(tasks) < 2:
        raise BenchError("Grouping needs two tasks or more; leave `only` out, or name more tasks.")
    found = _records(job, grouping.needs(tasks), seeds, measure)
    if lost := [r for one in found.values() for r in one if not has_converged(r)]:
        raise BenchError(
            f"The run of {lost[0]['method']['label']} with seed {lost[0]['seed']} did not converge; leave that seed "
            "out of seeds, or lower the learning rate."
        )
    choice = grouping.choose(tasks, budget, found)
    identity = [plan.setting.experiment_hash(tasks), plan.identity, job.plain["grouping"], budget, seeds]
    name = f"{job.choices.name('grouping')}-b{budget}-{identity_hash(identity)[:8]}"
    folder = job.place.runs / plan.names.experiment / FOLDER
    write_choice(folder / name, tasks, choice)
    print_choice(tasks, choice)
    groups = [Need(tuple(tasks[t] for t in members)) for members in choice.chosen.groups]
    trained = [records[0] for records in _records(job, groups, seeds).values()]
    label = _label(job.choices.name("grouping"), grouping, budget, plan)
    measured_by = sorted({one["hash"] for records_ in found.values() for one in records_})
    entry = _entry(name, label, plan, job.plain, seeds, choice, trained, measured_by)
    save_entry(folder / f"{name}.json", entry)
    print(f"{folder / name}.json: the entry; `mtl-bench report {job.place.runs}` shows its row.")


def _records(
    job: Job, needs: Sequence[Need], seeds: Sequence[int], measure: tuple[str, Any] | None = None
) -> dict[Need, list[Record]]:
    """One record per seed of every need, trained where it is missing. Raises Damaged after all that can be had."""
    damaged: list[Damaged] = []
    found: dict[Need, list[Record]] = {need: [] for need in needs}
    for need in needs:
        for seed in seeds:
            with noting(damaged):
                plan = job.plan(seed, need.tasks, measure if need.measuring else None)
                found[need].append(job.cell(plan, quiet=True))
    if damaged:
        raise Damaged(" ".join(map(str, damaged)))
    return found


def _seeds(given: Any) -> list[int]:
    if not isinstance(given, list) or not given or len(set(map(str, given))) < len(given):
        raise BenchError(f"seeds is a list of different seeds, as in seeds=[0,1,2]; got {given!r}.")
    for seed in given:
        check_seed(seed)
    return sorted(given)


def _label(name: str, grouping: Grouping, budget: int, plan: Plan) -> str:
    by = [] if plan.identity["method"] == canonical(PLAIN) else [method_label(plan.method, plan.identity)]
    details = [f"b={budget}", *([grouping.note] if grouping.note else []), *by]
    return f"{name} ({', '.join(details)})"


def _entry(
    name: str,
    label: str,
    plan: Plan,
    plain: Mapping[str, Any],
    seeds: list[int],
    choice: Choice,
    trained: Sequence[Record],
    measured_by: list[str],
) -> EntryFile:
    tasks, chosen = list(plan.tasks), choice.chosen
    groups: list[Group] = [
        {
            "tasks": [tasks[task] for task in members],
            "serves": [task for task, by in zip(tasks, chosen.serving, strict=True) if by == number],
            "hash": record["hash"],
        }
        for number, (members, record) in enumerate(zip(chosen.groups, trained, strict=True))
    ]
    terms = plan.reporting.delta_m["terms"]
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
            "terms": {task: list(terms[task]) for task in tasks},
        },
        "baselines": plan.setting.baselines(tasks),
        "budget": plain["budget"],
        "grouping": dict(plain["grouping"]),
        "seeds": seeds,
        "groups": groups,
        "measured_by": measured_by,
        "value": chosen.value if isfinite(chosen.value) else None,
    }
