"""`mtl-bench recon`: count conflicts, split layers, train the new model, one entry. Every stage is found again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console

from mtl_bench.errors import BenchError
from mtl_bench.job.entry_runs import by_method, check_seeds, entry_of, records_of
from mtl_bench.job.job import Job
from mtl_bench.pipeline import Need
from mtl_bench.pipeline.conflicting_layers import conflict_scores, most_conflicting
from mtl_bench.pipeline.layer_files import layer_table, write_layers
from mtl_bench.records import Record
from mtl_bench.records.atomic import write_atomic
from mtl_bench.records.entry import FOLDER, save_entry
from mtl_bench.records.identity import canonical, canonical_hash
from mtl_bench.records.record import has_converged
from mtl_bench.training.arguments import check_node
from mtl_bench.training.derived_nodes import first_part, layers_of, split_nodes
from mtl_bench.training.plan import Plan

OPTIONS = ("conflicts", "top", "share")


def recon(job: Job) -> None:
    """Raises BenchError when layers cannot be split or chosen, RunLocked when another process trains one of the runs.

    A damaged record is named once all other runs are there.
    """
    chosen, seeds = {name: job.plain[name] for name in OPTIONS}, check_seeds(job.plain["seeds"])
    check_node(chosen["conflicts"], "conflicts")
    plan = job.plan(seeds[0])
    tasks = list(plan.tasks)
    if len(tasks) < 2:
        raise BenchError("Tasks conflict where there are two or more; leave `only` out, or name more tasks.")
    layers = layers_of(plan)
    _check(chosen["top"], chosen["share"], job.plain["plain"], len(layers))
    measured = _measured(job, chosen, tasks, seeds)
    scores, pairs = conflict_scores(measured, layers)
    split = most_conflicting(scores, chosen["top"])
    job_of_split = replace(job, plain={**job.plain, **split_nodes(job.plain["model"], job.plain["protocol"], split)})
    identity = [plan.setting.experiment_hash(tasks), plan.identity, canonical(chosen), seeds]
    name = f"recon-t{chosen['top']}-{canonical_hash(identity)[:8]}"
    folder = job.place.runs / plan.names.experiment / FOLDER
    write_layers(folder / name, scores, pairs, split)
    _write_experiment(folder / name / "experiment" / f"{name}.yaml", job_of_split.plan(seeds[0]))
    console = Console()
    console.print(layer_table(scores, pairs, split))
    if job.plain["single_task"]:
        records_of(job, [Need((task,)) for task in plan.reporting.scored(tasks)], seeds)
    if job.plain["plain"]:
        console.print("\nWithout copies:", style="bold")
        records_of(job, [Need(tuple(tasks))], seeds)
    console.print(f"\nWith a copy per task of {len(split)} of {len(layers)} layers:", style="bold")
    (trained,) = records_of(job_of_split, [Need(tuple(tasks))], seeds).values()
    entry = entry_of(
        name,
        _label(chosen, plan),
        plan,
        seeds,
        [{"tasks": tasks, "serves": tasks, "hash": trained[0]["hash"]}],
        sorted({record["hash"] for record in measured}),
        budget=1,
        grouping=chosen,
        value=None,
    )
    save_entry(folder / f"{name}.json", {**entry, "split": split})
    before, after = measured[0].get("parameters", 0), trained[0].get("parameters", 0)
    print(f"{before:,} parameters became {after:,}; predicting all tasks takes {len(tasks)} forwards.")
    print(f"{folder / name}.json: the entry; `mtl-bench report {job.place.runs}` shows its row.")


def _check(top: Any, share: Any, plain: Any, layers: int) -> None:
    if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= layers:
        raise BenchError(f"top counts layers of this model, 1 to {layers}; got {top!r}.")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise BenchError(f"share is the part of the training in which conflicts are counted, in (0, 1]; got {share!r}.")
    if not isinstance(plain, bool):  # `no` is text to Hydra, and any text would count as true
        raise BenchError(f"plain must be true or false, got {plain!r}.")


def _label(chosen: dict[str, Any], plan: Plan) -> str:
    conflicts = chosen["conflicts"]
    by = (conflicts.get("train_by") or {}).get("_target_", "").rpartition(".")[2]
    told = [f"S={conflicts['severity']}"] if "severity" in conflicts else []  # of another class of somebody's own
    told += [f"measured by {by}"] if by else []
    details = [f"top={chosen['top']}", *told, *by_method(plan)]
    return f"recon ({', '.join(details)})"


def _measured(job: Job, chosen: dict[str, Any], tasks: list[str], seeds: list[int]) -> list[Record]:
    """The short joint runs that count conflicts."""
    protocol = job.plain["protocol"]
    short = {**protocol, "training": first_part(protocol["training"], chosen["share"])}
    method = job.choices.method_name(chosen["conflicts"], "method@conflicts"), chosen["conflicts"]
    shortened = replace(job, plain={**job.plain, "protocol": short})
    (records,) = records_of(shortened, [Need(tuple(tasks), measuring=True)], seeds, method).values()
    for record in records:
        if not has_converged(record):
            raise BenchError(
                f"The run that counts conflicts did not converge with seed {record['seed']}; leave that seed out of "
                "seeds, or lower the learning rate."
            )
    return records


def _write_experiment(path: Path, plan: Plan) -> None:
    """The split setting as an experiment, which any method can be trained on."""
    kept = {name: node for name, node in plan.setting.nodes.items() if name != "method"}
    head = "# @package _global_\n# Layers in conflict once per task: mtl-bench train --config-dir "
    path.parent.mkdir(parents=True, exist_ok=True)
    text = OmegaConf.to_yaml(OmegaConf.create(kept))
    write_atomic(path, f"{head}{path.parents[1]} experiment={path.stem} method=NAME\n{text}")
