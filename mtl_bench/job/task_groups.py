"""`mtl-bench group`: measure, choose, train the groups, one entry. Every stage is found again and resumed."""

from collections.abc import Sequence
from math import isfinite

from mtl_bench.errors import BenchError
from mtl_bench.job.entry_runs import by_method, check_seeds, entry_of, records_of
from mtl_bench.job.job import Job
from mtl_bench.pipeline import Choice, Grouping, Need
from mtl_bench.pipeline.choice_files import print_choice, write_choice
from mtl_bench.records import Record
from mtl_bench.records.entry import FOLDER, Group, save_entry
from mtl_bench.records.identity import canonical, canonical_hash
from mtl_bench.records.record import has_converged
from mtl_bench.training.arguments import check_node
from mtl_bench.training.build import build


def group(job: Job) -> None:
    """Raises BenchError when the groups cannot be chosen, RunLocked when another process trains one of the runs.

    A damaged record is named once all other runs are there.
    """
    node = dict(job.plain["grouping"])
    measuring = node.pop("measure", None)
    check_node(measuring, "grouping.measure")
    measure = None if measuring is None else (job.choices.method_name(measuring, "method@grouping.measure"), measuring)
    grouping, seeds, budget = build(node, "grouping", Grouping), check_seeds(job.plain["seeds"]), job.plain["budget"]
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
    found = records_of(job, grouping.needs(tasks), seeds, measure)
    if lost := [r for one in found.values() for r in one if not has_converged(r)]:
        raise BenchError(
            f"The run of {lost[0]['method']['label']} with seed {lost[0]['seed']} did not converge; leave that seed "
            "out of seeds, or lower the learning rate."
        )
    choice = grouping.choose(tasks, budget, found)
    chosen_by = canonical(job.plain["grouping"])
    identity = [plan.setting.experiment_hash(tasks), plan.identity, chosen_by, budget, seeds]
    name = f"{job.choices.name('grouping')}-b{budget}-{canonical_hash(identity)[:8]}"
    folder = job.place.runs / plan.names.experiment / FOLDER
    write_choice(folder / name, tasks, choice)
    print_choice(tasks, choice)
    if job.plain["single_task"]:
        records_of(job, [Need((task,)) for task in tasks], seeds)
    groups = [Need(tuple(tasks[t] for t in members)) for members in choice.chosen.groups]
    trained = [records[0] for records in records_of(job, groups, seeds).values()]
    details = [f"b={budget}", *([grouping.note] if grouping.note else []), *by_method(plan)]
    label = f"{job.choices.name('grouping')} ({', '.join(details)})"
    measured_by = sorted({one["hash"] for records_ in found.values() for one in records_})
    value = choice.chosen.value if isfinite(choice.chosen.value) else None
    networks = _networks_of(tasks, choice, trained)
    entry = entry_of(name, label, plan, seeds, networks, measured_by, budget, job.plain["grouping"], value)
    save_entry(folder / f"{name}.json", entry)
    print(f"{folder / name}.json: the entry; `mtl-bench report {job.place.runs}` shows its row.")


def _networks_of(tasks: Sequence[str], choice: Choice, trained: Sequence[Record]) -> list[Group]:
    chosen = choice.chosen
    return [
        {
            "tasks": [tasks[task] for task in members],
            "serves": [task for task, by in zip(tasks, chosen.serving, strict=True) if by == number],
            "hash": record["hash"],
        }
        for number, (members, record) in enumerate(zip(chosen.groups, trained, strict=True))
    ]
