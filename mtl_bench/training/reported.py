"""How the numbers of a run are read off, as its record says it."""

from collections.abc import Mapping
from typing import TypedDict

from mtl_bench.records.record import DeltaM, MetricInfo
from mtl_bench.tasks import Task
from mtl_bench.training.protocol import Reporting


class Reported(TypedDict):
    """Keys of a record."""

    metrics: dict[str, dict[str, MetricInfo]]
    selection: str
    delta_m: DeltaM


def reported(reporting: Reporting, tasks: Mapping[str, Task]) -> Reported:
    terms = reporting.delta_m["terms"]
    return {
        "metrics": {
            name: {m.name: {"higher_is_better": m.higher_is_better, "unit": m.unit} for m in task.metrics}
            for name, task in tasks.items()
        },
        "selection": reporting.selection.name,
        "delta_m": {
            "definition": reporting.delta_m["definition"],
            "terms": {name: list(terms[name]) for name in reporting.scored(tasks)},
        },
    }
