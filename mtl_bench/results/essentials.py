"""What is read first on a board, and all of it, as columns for a terminal."""

from dataclasses import replace

from mtl_bench.results.board import Board
from mtl_bench.results.render import DELTA, NOTHING, SIZE, cells, headers, is_relative, metric_header, signed
from mtl_bench.results.row import Column, Row
from mtl_bench.results.strips import Strip


def all_columns(board: Board) -> list[Strip]:
    names, texts = headers(board), zip(*cells(board), strict=True)
    return [Strip(name, column, name=name == "Method") for name, column in zip(names, texts, strict=True)]


def essentials(board: Board) -> list[Strip]:
    """Method and seeds, Δm with its standing, the worst task and how many are hurt, parameters where methods differ in
    them, passes. Where there is no Δm, the first judged metric of each task."""
    method, converged, *others = all_columns(board)
    known = {strip.header: strip for strip in others}
    if is_relative(board):
        hurt = Strip("Tasks\nhurt", tuple(_count_hurt(row) for row in board.rows), spare=True)
        told = [known[DELTA], known["vs best"], *_worst(board), hurt]
    else:
        metrics = [known[metric_header(column)] for column in _first_metrics(board)]
        told = [metrics[0], *(replace(strip, spare=True) for strip in metrics[1:])]
    passes = Strip("Passes\n/ batch", tuple(f"{row.cost.passes:.3g}" for row in board.rows))
    sizes = [replace(known[SIZE], spare=True)] if SIZE in known else []
    return [method, converged, *told, *sizes, passes]


def _worst(board: Board) -> list[Strip]:
    """Name and change stand apart: a long name may fold, and numbers line up."""
    changes = [row.changes[row.worst_task] if row.worst_task else None for row in board.rows]
    return [
        Strip("Worst\ntask", tuple(row.worst_task or NOTHING for row in board.rows), name=True),
        Strip("Its\nchange %", tuple(signed(change) for change in changes)),
    ]


def _count_hurt(row: Row) -> str:
    return NOTHING if row.tasks_hurt is None else f"{len(row.tasks_hurt)} of {len(row.changes)}"


def _first_metrics(board: Board) -> list[Column]:
    first: dict[str, Column] = {}
    for column in board.columns:
        first.setdefault(column.task, column)
    return list(first.values())
