"""Does conflict between task gradients, measured in training, go with what a task gains or loses by it?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from jaxtyping import Float
from scipy import stats

from mtl_bench.errors import BenchError, Damaged
from mtl_bench.records import Record
from mtl_bench.records.record import find_records
from mtl_bench.results.board import Board
from mtl_bench.results.comparison import task_changes

COSINE = "cosine"  # among a method's findings: of the gradients of all pairs of tasks
Matrices = dict[tuple[str, int], Float[np.ndarray, "K K"]]  # (hash, seed) of a run → mean cosine of each pair of tasks


@dataclass(frozen=True)
class Aligned:
    """One task of one run: the cosine of its gradient to the mean of all, and its change against single-task in %."""

    board: str
    row: str
    seed: int
    task: str
    cosine: float
    change: float


@dataclass(frozen=True)
class Prediction:
    """Spearman's ρ between cosine and change over tasks, each the mean of its runs; None below four tasks."""

    name: str
    tasks: int
    rho: float | None
    p: float | None


def find_cosines(roots: Iterable[Path], damaged: list[Damaged] | None = None) -> Matrices:
    """From runs with diagnostics, else from methods that measure cosines, means over epochs."""
    found: Matrices = {}
    for record in find_records(roots, damaged):
        told = record.get("cosines")
        matrix = np.array(told, dtype=float) if told else _from_findings(record)  # None: NaN
        if matrix is not None and len(matrix) > 1:
            found[record["hash"], record["seed"]] = matrix
    return found


def alignments(boards: Sequence[Board], cosines: Matrices) -> list[Aligned]:
    """Every task of every run with measured cosines that stands on a board with Δm, converged seeds alone.

    Raises BenchError when there is none.
    """
    found = []
    for board in boards:
        single = next((row for row in board.rows if row.is_single_task), None)
        for row in board.rows:
            if single is None or row.is_single_task or not row.delta_m or len(row.hashes) > 1:
                continue
            changes = task_changes(board.columns, single, row.values)
            for seed, values in row.values.items():
                matrix = cosines.get((row.hashes[0], seed))
                if matrix is None or len(matrix) != len(values):
                    continue
                told = dict(zip(values, to_mean(matrix).tolist(), strict=True))
                found += [
                    Aligned(f"{board.experiment} · {board.hash[:6]}", row.label, seed, task, told[task], change[seed])
                    for task, change in changes.items()
                    if np.isfinite(told[task])
                ]
    if not found:
        raise BenchError(
            "No run here has both measured gradients and single-task runs to be compared with; train with "
            "diagnostics.every=10 and single_task=true."
        )
    return found


def to_mean(cosines: Float[np.ndarray, "K K"]) -> Float[np.ndarray, " K"]:
    """Cosine of each gradient to the mean of all, each scaled to length 1, from the cosines of the pairs."""
    matrix = np.array(cosines, dtype=float)
    np.fill_diagonal(matrix, 1.0)
    return matrix.sum(axis=1) / np.sqrt(max(matrix.sum(), 1e-12))


def predictions(points: Sequence[Aligned]) -> list[Prediction]:
    """Per board, and over all of them, within which tasks are ranked apart: a board's difficulty is no conflict."""
    boards = {point.board: _task_means([one for one in points if one.board == point.board]) for point in points}
    each = [_predicted(name, list(means.values())) for name, means in boards.items()]
    if len(boards) < 2:
        return each
    ranked = [pair for means in boards.values() for pair in _within(list(means.values()))]
    return [*each, _predicted("all, ranked within boards", ranked)]


def _from_findings(record: Record) -> np.ndarray | None:
    size = len(record["tasks"])
    tables = [found[COSINE] for found in record.get("findings") or [] if COSINE in found]
    shaped = [np.array(table, dtype=float) for table in tables if np.shape(table) == (size, size)]
    return np.mean(shaped, axis=0) if shaped else None


def _task_means(points: Sequence[Aligned]) -> dict[str, tuple[float, float]]:
    tasks: dict[str, list[Aligned]] = {}
    for point in points:
        tasks.setdefault(point.task, []).append(point)
    return {task: (fmean(p.cosine for p in of), fmean(p.change for p in of)) for task, of in tasks.items()}


def _within(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Ranks as a share of the board, so that boards of few and of many tasks lie on one scale."""
    cosines, changes = (stats.rankdata(values) / (len(pairs) + 1) for values in zip(*pairs, strict=True))
    return list(zip(cosines.tolist(), changes.tolist(), strict=True))


def _predicted(name: str, pairs: Sequence[tuple[float, float]]) -> Prediction:
    x, y = zip(*pairs, strict=True)
    if len(pairs) < 4 or min(len(set(x)), len(set(y))) < 2:
        return Prediction(name, len(pairs), None, None)
    found = stats.spearmanr(x, y)
    return Prediction(name, len(pairs), float(found.statistic), float(found.pvalue))
