"""The single-task row: K one-task runs assembled as one entry, or the reason why there is no Δm against it."""

from collections.abc import Sequence
from dataclasses import replace

from mtl_bench.records import Record, Shared
from mtl_bench.records.reading import read_alike
from mtl_bench.results.change import Terms, task_means
from mtl_bench.results.entries import Entry, Run, by_hash

NO_SHARED = "no seed is common to the single-task runs of all tasks"
SEEDS = "0,1,2,3,4"  # these runs serve every row, so five seeds are the least that pays


def single_task(records: Sequence[Record], setting: Shared) -> tuple[Entry | None, list[str]]:
    """The entry, and one sentence for each reason why Δm against it does not exist (none: it does)."""
    baselines = setting["baselines"]  # of the tasks that count in Δm
    tasks = list(baselines)
    runs = _runs(records, setting)
    missing = [task for task in tasks if task not in runs]
    entry = Entry("single-task", {task: runs[task] for task in tasks if task in runs}, is_method=False)
    if not missing and entry.seeds:
        return entry, _flaws(entry, setting["delta_m"]["terms"])
    trained = {record["hash"] for record in records}
    if missing and all(baselines.get(task) in trained for task in missing):
        return None, [
            f"Δm is left out: the single-task runs of {', '.join(missing)} are recorded under another selection rule "
            f"than {setting['selection']!r}, or were evaluated at other epochs or in other batches."
        ]
    told = f"single-task runs of {', '.join(missing)} are missing" if missing else NO_SHARED
    return None, [f"Δm is left out: {told}; {_command(setting, missing or tasks)}."]


def tuned_alone(entries: Sequence[Entry], setting: Shared) -> tuple[Entry | None, list[str]]:
    """The same of tuned single-task runs, of which a table has one entry."""
    if not entries:
        return None, ["Δm is left out: tuned single-task runs are missing; run `mtl-bench tune` again."]
    if not entries[0].seeds:
        return None, [f"Δm is left out: {NO_SHARED}."]
    return replace(entries[0], is_method=False), _flaws(entries[0], setting["delta_m"]["terms"])


def _runs(records: Sequence[Record], setting: Shared) -> dict[str, Run]:
    """Task → its single-task run; a seed trained inside this experiment goes before one trained for another."""
    baselines = setting["baselines"].values()
    wanted = [record for record in records if record["hash"] in baselines and read_alike(record, setting)]
    inside = [record for record in wanted if record["experiment"]["name"] == setting["experiment"]["name"]]
    found = by_hash([*inside, *(record for record in wanted if record not in inside)])
    return {task: found[digest] for task, digest in setting["baselines"].items() if digest in found}


def _command(setting: Shared, tasks: Sequence[str]) -> str:
    only = ",".join(f"[{task}]" for task in tasks)
    return (
        f"train them with `mtl-bench train -m experiment={setting['experiment']['name']} 'only={only}' seed={SEEDS}` "
        "and what else these runs were given"
    )


def _flaws(entry: Entry, terms: Terms) -> list[str]:
    if lost := entry.lost(terms):
        return [f"Δm is left out: a single-task run did not converge with seed {', '.join(map(str, lost))}."]
    means = task_means({task: entry.every_seed(task) for task in terms}, terms)
    zero = [f"{metric} of {task}" for task, of in means.items() for metric, mean in of.items() if mean == 0]
    return [f"Δm is left out: single-task {zero[0]} is zero, so no relative change exists."] if zero else []
