"""What runs tell of their gradients: conflicts that diagnostics measured, and what the method found out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtl_bench.errors import Damaged, noting
from mtl_bench.records import Record
from mtl_bench.records.folder import HISTORY_NAME
from mtl_bench.results.entries import Run
from mtl_bench.results.findings_pictures import are_shares, read_conflicts
from mtl_bench.results.page.curve_data import short
from mtl_bench.results.page.material import Material

EPOCHS = 20  # at most, evenly picked


def gradients_of(run: Run, material: Material, damaged: list[Damaged] | None) -> dict[str, Any] | None:
    """Of the lowest seed that has any: matrices between tasks, groups after an epoch, and shares of each task."""
    for seed, record in sorted(run.items()):
        matrices = _conflicts(material.path_of(record), record["tasks"], damaged)
        found = {"matrices": matrices, "groups": [], "shares": []}
        _add_findings(found, record)
        if any(found.values()):
            return {"seed": seed, "tasks": record["tasks"], **found}
    return None


def _conflicts(path: Path, tasks: Sequence[str], damaged: list[Damaged] | None) -> list[dict[str, Any]]:
    with noting(damaged):
        measured = read_conflicts(path.with_name(HISTORY_NAME), tasks)
        names = ("mean cosine of gradients", "% of batches in conflict")
        return [_matrix(name, table) for name, table in zip(names, measured or (), strict=False)]
    return []


def _add_findings(found: dict[str, list[Any]], record: Record) -> None:
    epochs = record.get("findings") or []
    if not epochs:
        return
    some = [epochs[place] for place in np.unique(np.linspace(0, len(epochs) - 1, EPOCHS).round().astype(int))]
    count = len(record["tasks"])
    for name, value in epochs[-1].items():
        if _is_square(value, count):
            found["matrices"].append(_matrix(name.replace("_", " "), np.array(value, dtype=float)))
        elif name == "groups":
            found["groups"] = [[one["epoch"], one["groups"]] for one in some]
        elif are_shares(value, count) and (told := [one for one in some if are_shares(one.get(name), count)]):
            means = [np.mean(list(one[name].values()), axis=0) for one in told]  # over layers
            series = [[short(float(mean[task])) for mean in means] for task in range(count)]
            found["shares"].append({"name": name, "x": [one["epoch"] for one in told], "series": series})


def _is_square(value: Any, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(row, list) and len(row) == count for row in value)
        and not any(isinstance(cell, str) for row in value for cell in row)
    )


def _matrix(name: str, table: np.ndarray) -> dict[str, Any]:
    return {"name": name, "values": [[short(float(cell)) for cell in row] for row in table]}
