"""A board as plain CSV: one row per method, every rank with how far it moves when something is left out."""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict

from mtl_bench.results.board import Board
from mtl_bench.results.mean_ranks import Grid, mean_ranks
from mtl_bench.results.row import Estimate, Gain, Row
from mtl_bench.results.sensitivity import Rank, delta_m_scores, places

DIGITS = 10  # significant; far below any interval


def board_csv(board: Board, grid: Grid | None = None, refused: Mapping[str, str] | None = None) -> str:
    """`grid`: these methods on the complete grid of a suite, for the columns of the mean rank. `refused`: methods that
    cannot run on the board and why, each a row with nothing but that, in the column `cannot_run`.

    Metrics are `task.metric`, changes against single-task in percent `task.change`, `_low` and `_high` the ends of the
    95 % interval over seeds, costs per batch. Gains are Δm less that of the plain sum that `_over` names, behind the
    experiments of both rows where these are others. Single-task rows have no place, and no row has one without Δm.
    Cells that do not exist are empty.
    """
    by_delta, by_mean = delta_m_places(board), places(grid, mean_ranks) if grid else {}
    ranks = mean_ranks(grid) if grid else {}
    rows = [
        {
            "experiment": board.experiment,
            "protocol": board.hash[:12],
            "definition": board.definition,
            **_place("place", by_delta.get(row.label)),
            **_told(row),
            **(
                {"mean_rank": _number(ranks.get(row.label)), **_place("mean_rank_place", by_mean.get(row.label))}
                if grid
                else {}
            ),
            **_metrics(board, row),
            **{f"{name}_per_batch": _number(value) for name, value in asdict(row.cost).items()},
            "runs": " ".join(digest[:12] for digest in row.hashes),
            "cannot_run": "",
        }
        for row in board.rows
    ]
    same = {name: rows[0][name] for name in ("experiment", "protocol", "definition")}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([*rows, *({**same, "method": name, "cannot_run": why} for name, why in (refused or {}).items())])
    return text.getvalue()


def delta_m_places(board: Board) -> dict[str, Rank]:
    """Label → place by Δm; single-task rows have none."""
    rows = [row for row in board.rows if row.is_method]
    if not any(row.delta_m for row in rows):
        return {}
    return places([(board.columns, rows)], delta_m_scores(board.definition))


def _place(name: str, found: Rank | None) -> dict[str, str]:
    method = found.less_a_method if found else (None, None)
    task = found.less_a_task if found and found.less_a_task else (None, None)
    return {
        name: _number(found.place if found else None),
        f"{name}_less_a_method_best": _number(method[0]),
        f"{name}_less_a_method_worst": _number(method[1]),
        f"{name}_less_a_task_best": _number(task[0]),
        f"{name}_less_a_task_worst": _number(task[1]),
    }


def _told(row: Row) -> dict[str, str]:
    return {
        "method": row.label,
        "converged": str(len(row.converged)),
        "seeds": str(len(row.seeds)),
        "standing": row.standing or "",
        **_estimate("delta_m", row.delta_m),
        "worst_task": row.worst_task or "",
        "worst_change": _number(row.changes[row.worst_task].mean) if row.worst_task else "",
        "tasks_hurt": "" if row.tasks_hurt is None else str(len(row.tasks_hurt)),
        **_gain("gain_at_equal_passes", row.at_equal_passes),
        **_gain("gain_at_equal_trials", row.at_equal_trials),
    }


def _gain(name: str, found: Gain | None) -> dict[str, str]:
    """`_over`: the row of the plain sum, behind the board that both stand on where it is another one."""
    where = [place for place in (found.again, found.on) if place] if found else []
    over = [*dict.fromkeys(where), found.over] if found else []
    return {**_estimate(name, found.estimate if found else None), f"{name}_over": " ".join(over)}


def _metrics(board: Board, row: Row) -> Mapping[str, str]:
    cells: dict[str, str] = {}
    for task in dict.fromkeys(column.task for column in board.columns):
        cells |= _estimate(f"{task}.change", row.changes.get(task))
    for column in board.columns:
        cells |= _estimate(f"{column.task}.{column.metric}", row.metrics.get((column.task, column.metric)))
    return cells


def _estimate(name: str, found: Estimate | None) -> dict[str, str]:
    span = found.interval if found else None
    return {
        name: _number(found.mean if found else None),
        f"{name}_low": _number(span.low if span else None),
        f"{name}_high": _number(span.high if span else None),
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.{DIGITS}g}"
