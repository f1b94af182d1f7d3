"""What a configuration must say before anything is packed, built or written."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_type_hints

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.packed import Manifest
from mtl_bench.errors import BenchError
from mtl_bench.records.record import DeltaM
from mtl_bench.tasks import Task
from mtl_bench.training.arguments import check_node
from mtl_bench.training.protocol import Reporting, Training
from mtl_bench.training.setting import training_of

DEFINITIONS = get_args(get_type_hints(DeltaM)["definition"])
INJECTED = ("outputs", "input_shape")  # arguments of every model, given by the trainer


def check_nodes(nodes: Mapping[str, Any], names: Sequence[str]) -> None:
    """Every node is there, and model and method take their arguments. Raises BenchError."""
    for name in names:
        if not isinstance(nodes.get(name), Mapping) or not nodes[name]:
            raise BenchError(
                f"The configuration has no {name}; choose one with {name}=NAME, see `mtl-bench list {name}`."
            )
    for name in ("training", "reporting"):
        if not isinstance(nodes["protocol"].get(name), Mapping):
            raise BenchError(f"protocol.{name} is missing; choose a protocol, see `mtl-bench list protocol`.")
    check_node(nodes["method"], "method")
    check_node(nodes["model"], "model", INJECTED)
    protocol = nodes["protocol"]
    if single_model := protocol["reporting"].get("single_model"):
        check_node(single_model, "protocol.reporting.single_model", INJECTED)
    if protocol["reporting"].get("single_training"):
        single_training = training_of(["one"], protocol["training"], protocol["reporting"])
        check_node(single_training, "protocol.reporting.single_training")


def check_seed(seed: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise BenchError(f"seed must be a whole number from 0 on, got {seed!r}.")


def check_dataset(dataset: Dataset) -> None:
    if "image" not in dataset.fields:
        raise BenchError(f"Dataset {dataset.name} has no field `image`; its fields are {', '.join(dataset.fields)}.")


def check_terms(reporting: Reporting, known: Sequence[str], tasks: Mapping[str, Task]) -> None:
    """Δm counts metrics that exist, of every task (of an auxiliary one none) and of no other. Raises BenchError."""
    if unknown := sorted(set(reporting.delta_m) - {"definition", "terms"}):
        raise BenchError(f"protocol.reporting.delta_m has a definition and terms, and no {unknown[0]!r}; leave it out.")
    definition, terms = reporting.delta_m.get("definition"), reporting.delta_m.get("terms")
    if definition not in DEFINITIONS:
        raise BenchError(
            f"protocol.reporting.delta_m.definition is one of {', '.join(DEFINITIONS)}, got {definition!r}."
        )
    if not isinstance(terms, Mapping) or set(terms) != set(known):
        named = ", ".join(terms) or "no task" if isinstance(terms, Mapping) else terms
        raise BenchError(
            f"protocol.reporting.delta_m.terms names {named}, but the tasks are {', '.join(known)}; name each "
            "task once, as in {task: [metric]}."
        )
    for name, chosen in terms.items():
        if not isinstance(chosen, list):
            raise BenchError(f"protocol.reporting.delta_m.terms.{name} is a list of metrics, got {chosen!r}.")
        if len(set(chosen)) < len(chosen):
            raise BenchError(f"Δm counts a metric once, and task {name} names {chosen}; name each once.")
        if definition == "one_per_task" and len(chosen) > 1:
            raise BenchError(
                f"Δm one_per_task takes one metric of task {name}, got {chosen}; keep one or use task_mean."
            )
    if not reporting.scored(tasks):
        raise BenchError(
            f"No metric of {', '.join(tasks)} counts in Δm (protocol.reporting.delta_m.terms); train auxiliary tasks "
            "beside others."
        )
    for name, task in tasks.items():
        metrics = [metric.name for metric in task.metrics]
        if unknown := [metric for metric in terms[name] if metric not in metrics]:
            raise BenchError(f"Task {name} has no metric {unknown[0]!r} for Δm; choose among {', '.join(metrics)}.")


def check_weights(training: Training, known: Sequence[str]) -> None:
    if (given := training.static_weights) and set(given) != set(known):
        raise BenchError(
            f"protocol.training.static_weights names {', '.join(given)}, but the tasks are {', '.join(known)}; "
            "name each once."
        )


def check_splits(training: Training, reporting: Reporting, tasks: Mapping[str, Task], manifest: Manifest) -> None:
    """There is something to train on, to test on, and to select by, better values first. Raises BenchError."""
    for split in ("train", "test"):
        if not manifest.splits.get(split):
            raise BenchError(f"Dataset {manifest.name} has no split `{split}`; it has {', '.join(manifest.splits)}.")
    held_out = training.val == "held_out" and manifest.splits.get("val")
    rule, ones = reporting.selection, {name: {m.name: 1.0 for m in task.metrics} for name, task in tasks.items()}
    rule.keeps(ones if held_out else {}, [])  # a rule refuses here what it cannot judge
    for name, task in tasks.items():
        better = {metric.name: 2.0 if metric.higher_is_better else 0.5 for metric in task.metrics}
        before, after = rule.scalar(ones), rule.scalar({**ones, name: better})
        if before is not None and after is not None and after < before:
            raise BenchError(
                f"Selection {rule.name} would report the worst evaluation of task {name}; turn "
                "protocol.reporting.selection.higher_is_better around."
            )
