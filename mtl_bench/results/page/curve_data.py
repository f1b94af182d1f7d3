"""Training curves of a row, small enough to stand in a page."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from mtl_bench.records.record import has_converged
from mtl_bench.results.board import Board
from mtl_bench.results.entries import Entry, Run

POINTS = 16  # of a curve at most, evenly picked, the first and the last among them


def curves(entry: Entry, board: Board) -> dict[str, Any]:
    """Task → epochs, training loss and validation value of its first judged metric: mean, lowest and highest of the
    seeds that converged (of all where none did): one that was given up would cut the others off. A task without an
    evaluation, or without a run of its own, is left out."""
    first = {column.task: column.metric for column in reversed(board.columns)}
    found = {task: _curve(entry.runs[task], task, metric) for task, metric in first.items() if task in entry.runs}
    return {task: curve for task, curve in found.items() if curve}


def short(value: float) -> float | None:
    """Four digits; None for what JSON does not know."""
    return float(f"{value:.4g}") if isfinite(value) else None


def _curve(run: Run, task: str, metric: str) -> dict[str, Any] | None:
    records = [record for record in run.values() if has_converged(record)] or list(run.values())
    tables = [{one["batch"]: one for one in record["evaluations"]} for record in records]
    batches = _thinned(sorted(set.intersection(*(set(table) for table in tables))))
    if not batches:
        return None
    epochs = [short(tables[0][batch]["epoch"]) for batch in batches]
    losses = [[table[batch]["train"].get(task, np.nan) for batch in batches] for table in tables]
    values = [[table[batch]["val"].get(task, {}).get(metric, np.nan) for batch in batches] for table in tables]
    return {"x": epochs, "train": _over_seeds(losses), "val": _over_seeds(values)}


def _thinned(batches: Sequence[int]) -> list[int]:
    if len(batches) <= POINTS:
        return list(batches)
    return [batches[place] for place in np.linspace(0, len(batches) - 1, POINTS).round().astype(int)]


def _over_seeds(table: Sequence[Sequence[float]]) -> list[list[float | None]] | None:
    """Mean, and of several seeds lowest and highest; None where nothing was measured."""
    values = np.array(table)
    if not np.isfinite(values).any():
        return None
    drawn = [values.mean(0), *([values.min(0), values.max(0)] if len(values) > 1 else [])]
    return [[short(value) for value in line] for line in drawn]
