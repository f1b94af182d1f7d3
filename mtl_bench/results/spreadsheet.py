"""A board as comma-separated values: every number in full, for a spreadsheet or pandas."""

import csv
import io
from collections.abc import Iterator

from mtl_bench.results.board import Board
from mtl_bench.results.row import Estimate, Row

COSTS = ("forwards", "backwards", "passes", "optimizer_steps", "seconds")


def board_csv(board: Board) -> str:
    """One line per row. `_low` and `_high` are the ends of the 95 % interval over seeds; what is not known is empty.

    Metrics are `task/metric`, changes against single-task in percent `task/change`, costs per batch.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    table = [dict(_cells(board, row)) for row in board.rows]
    writer.writerow(table[0])
    writer.writerows(line.values() for line in table)
    return text.getvalue()


def _cells(board: Board, row: Row) -> Iterator[tuple[str, object]]:
    yield from (("experiment", board.experiment), ("protocol", board.hash[:12]), ("method", row.label))
    yield from (("seeds", len(row.seeds)), ("converged", len(row.converged)))
    yield "definition", board.definition
    yield from _estimate("delta_m", row.delta_m)
    yield from (("vs_best", row.standing or ""), ("worst_task", row.worst_task or ""))
    yield "tasks_hurt", "" if row.tasks_hurt is None else " ".join(row.tasks_hurt) or "none"
    for task in dict.fromkeys(column.task for column in board.columns):
        yield from _estimate(f"{task}/change", row.changes.get(task))
    for column in board.columns:
        yield from _estimate(f"{column.task}/{column.metric}", row.metrics.get((column.task, column.metric)))
    yield from ((f"{name}_per_batch", getattr(row.cost, name)) for name in COSTS)
    yield "runs", " ".join(digest[:12] for digest in row.hashes)


def _estimate(name: str, estimate: Estimate | None) -> Iterator[tuple[str, object]]:
    span = estimate.interval if estimate else None
    yield name, estimate.mean if estimate else ""
    yield from ((f"{name}_low", span.low if span else ""), (f"{name}_high", span.high if span else ""))
