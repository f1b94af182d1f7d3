"""Records made up for the tests."""

from typing import Any, cast

from mtl_bench.records import Record


def record(values: dict[str, float], findings: list[dict[str, Any]] | None = None, **changes: Any) -> Record:
    """A run on the tasks of `values` with one metric, an error: these values on val, on test their reciprocals, which
    turn every gain into a loss."""
    made = {
        "hash": "0" * 64,
        "method": {"name": "m", "label": "m"},
        "tasks": list(values),
        "metrics": {task: {"error": {"higher_is_better": False, "unit": ""}} for task in values},
        "delta_m": {"definition": "one_per_task", "terms": {task: ["error"] for task in values}},
        "val": {task: {"error": value} for task, value in values.items()},
        "test": {task: {"error": 1 / value} for task, value in values.items()},
        "findings": findings or [],
    }
    return cast(Record, {**made, **changes})
