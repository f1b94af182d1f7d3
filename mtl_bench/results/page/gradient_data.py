"""What runs tell of their gradients: conflicts that diagnostics measured, and what the method found out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from mtl_bench.errors import Damaged, noting
from mtl_bench.records import Record
from mtl_bench.results.alignment import to_mean
from mtl_bench.results.entries import Run
from mtl_bench.results.findings_pictures import MEAN_COSINE, are_shares, read_conflicts, square_findings
from mtl_bench.results.page.curve_data import short
from mtl_bench.results.page.material import Material

EPOCHS = 20  # at most, evenly picked
Matrices = Mapping[str, Float[np.ndarray, "K K"]]


def gradients_of(run: Run, material: Material, damaged: list[Damaged] | None) -> dict[str, Any] | None:
    """Of the lowest seed that has any: matrices between tasks, groups after an epoch, and shares of each task."""
    for seed, record in sorted(run.items()):
        measured: Matrices = {}
        with noting(damaged):
            measured = read_conflicts(material.path_of(record), record)
        found = {"matrices": [_matrix(name, table) for name, table in measured.items()], "groups": [], "shares": []}
        _add_findings(found, record)
        if any(found.values()):
            return {"seed": seed, "tasks": record["tasks"], **found}
    return None


def _add_findings(found: dict[str, list[Any]], record: Record) -> None:
    epochs = record.get("findings") or []
    if not epochs:
        return
    some = [epochs[place] for place in np.unique(np.linspace(0, len(epochs) - 1, EPOCHS).round().astype(int))]
    count = len(record["tasks"])
    for name, table in square_findings(epochs[-1], count).items():
        found["matrices"].append(_matrix(name.replace("_", " "), table))
    for name, value in epochs[-1].items():
        if name == "groups":
            found["groups"] = [[one["epoch"], one["groups"]] for one in some]
        elif are_shares(value, count) and (told := [one for one in some if are_shares(one.get(name), count)]):
            means = [np.mean(list(one[name].values()), axis=0) for one in told]  # over layers
            series = [[short(float(mean[task])) for mean in means] for task in range(count)]
            found["shares"].append({"name": name, "x": [one["epoch"] for one in told], "series": series})


def _matrix(name: str, table: Float[np.ndarray, "K K"]) -> dict[str, Any]:
    """Of cosines, where all are known, also each task's to the mean of all; two tasks have the same, whatever they
    do."""
    made: dict[str, Any] = {"name": name, "values": _shortened(table)}
    if name == MEAN_COSINE and len(table) > 2 and np.isfinite(means := to_mean(table)).all():
        made["to_mean"] = _shortened(means[None])[0]
    return made


def _shortened(table: Float[np.ndarray, "rows columns"]) -> list[list[float | None]]:
    return [[short(float(cell)) for cell in row] for row in table]
