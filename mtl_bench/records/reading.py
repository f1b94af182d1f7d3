"""How numbers were read off a run: outside its identity, and yet a part of what makes two of them comparable."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, cast

from mtl_bench.records.record import Record, Shared

EVERY, BATCH = 1, 1000  # epochs and samples, where the reporting part of a protocol does not say
END = "last"  # the rule whose numbers are the same however often one looks
Readings: TypeAlias = Mapping[str, Mapping[str, Any]]  # task → how its numbers are read off


def reading(selection: str, config: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What the numbers of a task depend on beside its run: the rule, when the rule could look, and the batches of an
    evaluation where the task averages over them. `config` is a record's.
    """
    reporting = config.get("protocol", {}).get("reporting", {})
    found: dict[str, Any] = {"selection": selection}
    if selection != END:
        found["evaluate_every"] = reporting.get("evaluate_every", EVERY)
        found["higher_is_better"] = (reporting.get("selection") or {}).get("higher_is_better", True)
    if config.get("tasks", {}).get(task, {}).get("aggregation") == "batch_mean":
        found["evaluation_batch_size"] = reporting.get("evaluation_batch_size", BATCH)
    return found


def readings_of(selection: str, config: Mapping[str, Any], tasks: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The reading of each task of a run."""
    return {task: reading(selection, config, task) for task in tasks}


def readings_in(record: Record) -> dict[str, dict[str, Any]]:
    """Those of a finished run."""
    return readings_of(record["selection"], record["config"], record["tasks"])


def reading_in_words(found: Mapping[str, Any]) -> str:
    """A reading, as sentences name it in brackets."""
    return ", ".join(f"{name} {value!r}" for name, value in found.items())


def read_alike(single: Record, other: Shared) -> bool:
    """Whether a single-task run may be compared with a run, or with an entry, which tells no more than its rule."""
    if "config" not in other:
        return single["selection"] == other["selection"]
    theirs = cast(Record, other)
    return all(
        reading(single["selection"], single["config"], task) == reading(theirs["selection"], theirs["config"], task)
        for task in single["tasks"]
    )
