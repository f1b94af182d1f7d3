"""Does conflict between task gradients, measured in training, go with what a task gains or loses by it?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import fmean

import numpy as np
from jaxtyping import Float
from scipy import stats

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.results.board import Board
from mtl_bench.results.comparison import task_changes

EXACT = 8  # tasks up to which every order is looked at: 40,320
DRAWS = 100_000  # orders beyond, from a generator of its own with seed 0
COSINE = "cosine"  # among a method's findings: of the gradients of all pairs of tasks
Pair = tuple[float, float]  # cosine and change of a task
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
    """Spearman's ρ between cosine and change over tasks, each the mean of its runs; None below four tasks.

    p is two-sided, of permutations: how often the same changes in another order within each of `boards` give such a ρ.
    """

    name: str
    boards: tuple[str, ...]
    tasks: int
    rho: float | None
    p: float | None


def find_cosines(records: Iterable[Record]) -> Matrices:
    """From runs with diagnostics, else from methods that measure cosines, means over epochs."""
    found: Matrices = {}
    for record in records:
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
                    Aligned(board_name(board), row.label, seed, task, told[task], change[seed])
                    for task, change in changes.items()
                    if np.isfinite(told[task])
                ]
    if not found:
        raise BenchError(
            "No run here has both measured gradients and single-task runs to be compared with; train with "
            "diagnostics.every=10 and single_task=true."
        )
    return found


def board_name(board: Board) -> str:
    """As points name theirs."""
    return f"{board.experiment} · {board.hash[:6]}"


def to_mean(cosines: Float[np.ndarray, "K K"]) -> Float[np.ndarray, " K"]:
    """Cosine of each gradient to the mean of all, each scaled to length 1, from the cosines of the pairs."""
    matrix = np.array(cosines, dtype=float)
    np.fill_diagonal(matrix, 1.0)
    return matrix.sum(axis=1) / np.sqrt(max(matrix.sum(), 1e-12))


def predictions(points: Sequence[Aligned]) -> list[Prediction]:
    """Per board, and over all of them, within which tasks are ranked apart: a board's difficulty is no conflict.

    Two tasks have the same cosine to their mean, whatever they do: such a board says nothing and is not among all.
    """
    boards = {point.board: _task_means([one for one in points if one.board == point.board]) for point in points}
    each = [predicted(name, {name: pairs}) for name, pairs in boards.items()]
    telling = {name: _within(pairs) for name, pairs in boards.items() if len(pairs) > 2}
    return [*each, predicted("all, ranked within boards", telling)] if len(telling) > 1 else each


def _from_findings(record: Record) -> np.ndarray | None:
    size = len(record["tasks"])
    tables = [found[COSINE] for found in record.get("findings") or [] if COSINE in found]
    shaped = [np.array(table, dtype=float) for table in tables if np.shape(table) == (size, size)]
    return np.mean(shaped, axis=0) if shaped else None


def _task_means(points: Sequence[Aligned]) -> list[Pair]:
    tasks: dict[str, list[Aligned]] = {}
    for point in points:
        tasks.setdefault(point.task, []).append(point)
    return [(fmean(p.cosine for p in of), fmean(p.change for p in of)) for of in tasks.values()]


def _within(pairs: Sequence[Pair]) -> list[Pair]:
    """Ranks as a share of the board, so that boards of few and of many tasks lie on one scale."""
    cosines, changes = (stats.rankdata(values) / (len(pairs) + 1) for values in zip(*pairs, strict=True))
    return list(zip(cosines.tolist(), changes.tolist(), strict=True))


def predicted(name: str, boards: Mapping[str, Sequence[Pair]]) -> Prediction:
    """Of pairs that change their order within each board."""
    x, y = zip(*(pair for pairs in boards.values() for pair in pairs), strict=True)
    if len(x) < 4 or min(len(set(x)), len(set(y))) < 2:
        return Prediction(name, tuple(boards), len(x), None, None)
    # ρ is the correlation of ranks, of which another order changes the sum of products alone
    cosines, changes = (stats.rankdata(values) - (len(x) + 1) / 2 for values in (x, y))
    found = cosines @ changes
    sums = _sums_in_other_orders(cosines, changes, [len(pairs) for pairs in boards.values()])
    rho = found / np.sqrt((cosines @ cosines) * (changes @ changes))
    return Prediction(name, tuple(boards), len(x), float(rho), float(np.mean(np.abs(sums) >= abs(found) - 1e-9)))


def _sums_in_other_orders(
    x: Float[np.ndarray, " tasks"], y: Float[np.ndarray, " tasks"], sizes: Sequence[int]
) -> Float[np.ndarray, " orders"]:
    """Σ x y with y in every order, or in many where it is long or consists of boards, and always in its own."""
    if len(sizes) == 1 and len(y) <= EXACT:
        return np.array(list(permutations(y))) @ x
    draw, ends = np.random.default_rng(0), np.cumsum(sizes)[:-1]
    orders = [draw.permuted(np.tile(part, (DRAWS, 1)), axis=1) for part in np.split(y, ends)]
    return np.append(np.concatenate(orders, axis=1) @ x, y @ x)
