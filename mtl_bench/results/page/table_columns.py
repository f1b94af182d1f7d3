"""The columns of a page's table: all of the terminal's, in its order and with its texts, and a few of the page's own.

A column that `render` learns enters here by itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Literal

from mtl_bench.results.board import Board
from mtl_bench.results.page.definitions import Ranking
from mtl_bench.results.render import (
    CONVERGED,
    COSTS,
    DELTA,
    HURT,
    NOTHING,
    SIZE,
    WORST,
    cells,
    headers,
    metric_header,
    signed,
)
from mtl_bench.results.row import Column, Row
from mtl_bench.results.worth_text import AT_PASSES, AT_TRIALS

Group = Literal["always", "definitions", "metrics", "costs"]
KINDS = {DELTA: "delta", "vs best": "standing", CONVERGED: "seeds", AT_PASSES: "number", AT_TRIALS: "number"}
STANDINGS = ("best", "tied", "behind", "diverged")
NUMBER = re.compile(r"[+\-−]?\d+(?:\.\d+)?(?:e[+\-−]?\d+)?")
SIGNED = re.compile(r"[+−]\d+(?:\.\d+)?")


@dataclass(frozen=True)
class PageCell:
    """`value` is what sorts, None goes last; `note` stands behind the text, and `hint` says what it means."""

    text: str
    value: float | str | None
    note: str = ""
    hint: str = ""

    @property
    def sorts(self) -> str:
        """As the page's script reads it."""
        return f"{self.value:.6g}" if isinstance(self.value, float) else self.value or ""


@dataclass(frozen=True)
class PageColumn:
    """`group` is shown and hidden together, `kind` says how cells look, `up` whether a click sorts high ones first."""

    header: str
    group: Group
    kind: str
    up: bool
    cells: tuple[PageCell, ...]


def page_columns(board: Board, ranking: Sequence[Ranking], ratios: Mapping[str, float | None]) -> list[PageColumn]:
    """All but the method's name. `ratios` are the seconds of a row over those of the plain sum: no benchmark, so they
    stand with the other numbers of the clock, and passes are what is compared.
    """
    columns = []
    for header, texts in list(zip(headers(board), zip(*cells(board), strict=True), strict=True))[1:]:
        columns.append(_column(board, header, texts))
        if header == DELTA:
            columns += [_other_definition(board, other, ranking[0]) for other in ranking[1:]]
    passes = [PageCell(f"{row.cost.passes:.3g}", row.cost.passes) for row in board.rows]
    times = tuple(_ratio(ratios.get(row.label)) for row in board.rows)
    known = any(cell.value is not None for cell in times)
    return [
        *columns,
        PageColumn("Passes\n/ batch", "always", "number", False, tuple(passes)),
        *([PageColumn("Seconds\nof these runs / the plain sum’s", "costs", "number", False, times)] if known else []),
    ]


def sort_value(text: str) -> float | str | None:
    """The number that a cell begins with, else the first one with a sign, else its text."""
    if text == NOTHING:
        return None
    if text == "reference":
        return 0.0
    if text in STANDINGS:
        return -float(STANDINGS.index(text))
    found = NUMBER.match(text) or SIGNED.search(text)
    return float(found[0].replace("−", "-")) if found else text


def _column(board: Board, header: str, texts: Sequence[str]) -> PageColumn:
    metric = next((column for column in board.columns if metric_header(column) == header), None)
    numbers = [_number(row, header, metric) for row in board.rows]
    group: Group = "metrics" if metric else "costs" if header in COSTS else "always"
    kind = KINDS.get(header, "number" if _numeric(texts) else "text")
    up = metric.higher_is_better if metric else group != "costs" and kind != "text"
    read = [sort_value(text) if number is None else number for text, number in zip(texts, numbers, strict=True)]
    made = tuple(starmap(PageCell, zip(texts, read, strict=True)))
    words = header.replace("-\n", "")  # words that the terminal breaks are whole again
    return PageColumn(words if metric else words.replace("\n", " "), group, kind, up, made)


def _number(row: Row, header: str, metric: Column | None) -> float | None:
    """What stands behind a cell whose text begins with another number (a task named 5_o_clock) or a part of it."""
    if metric:
        found = row.metrics.get((metric.task, metric.metric))
        return found.mean if found else None
    if header == WORST:
        return row.changes[row.worst_task].mean if row.worst_task else None
    if header == HURT:
        return None if row.tasks_hurt is None or row.is_single_task else float(len(row.tasks_hurt))
    return float(row.parameters) if header == SIZE and row.parameters is not None else None


def _numeric(texts: Sequence[str]) -> bool:
    return all(text == NOTHING or NUMBER.match(text) for text in texts)


def _other_definition(board: Board, other: Ranking, own: Ranking) -> PageColumn:
    header = f"{other.definition}\n%{' ' + other.judged if other.judged else ''}"
    return PageColumn(header, "definitions", "number", True, tuple(_moved(row, other, own) for row in board.rows))


def _moved(row: Row, other: Ranking, own: Ranking) -> PageCell:
    """A triangle with the places that a row wins or loses against the board's own definition; ± where Δm turns."""
    estimate = other.delta_m.get(row.label)
    if row.is_single_task:
        return PageCell("reference", 0.0)
    if estimate is None:
        return PageCell(NOTHING, None)
    before, after = own.places.get(row.label), other.places.get(row.label)
    notes, hints = [], []
    if before and after and before != after:
        notes.append(f"{'▲' if after < before else '▼'}{abs(before - after):g}")
        hints.append(f"place {after:g}, by {own.definition} {before:g}")
    if row.delta_m and row.delta_m.mean * estimate.mean < 0:
        notes.append("± turns")
        hints.append(f"the sign turns: {signed(row.delta_m)} by {own.definition}")
    return PageCell(signed(estimate), estimate.mean, " ".join(notes), "; ".join(hints))


def _ratio(ratio: float | None) -> PageCell:
    return PageCell(NOTHING, None) if ratio is None else PageCell(f"{ratio:.2f}", ratio)
