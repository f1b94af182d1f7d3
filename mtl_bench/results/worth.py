"""Is it worth it? What a method gains over the plain sum that was given the same passes, or the same search.

At equal epochs a method that needs more passes is given more computation. Here it is held against the plain sum with
as many passes in all: on its own board where it costs no more, else on one that differs in its budget alone, else
against the plain sum stepped several times per batch. Where none was trained there is no gain; nothing is scaled.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log
from statistics import fmean
from typing import TYPE_CHECKING

from mtl_bench.results.row import Estimate, Gain, Row
from mtl_bench.results.spread import difference, merged

if TYPE_CHECKING:
    from mtl_bench.results.board import Board

CLOSE = 0.01  # share by which passes in all may differ: a budget in passes ends within a batch
TUNED = re.compile(r"\btuned\b\D*(\d+) trials")


@dataclass(frozen=True)
class _Placed:
    board: "Board"
    row: Row


def with_gains(boards: Sequence["Board"]) -> list["Board"]:
    """The same boards, every row with its gains. Only these boards are searched for runs of the plain sum."""
    found = []
    for board in boards:
        kin = [board, *(other for other in boards if other is not board and board.kin and other.kin == board.kin)]
        rows = [
            replace(row, at_equal_passes=_at_equal_passes(row, kin), at_equal_trials=_at_equal_trials(row, board))
            for row in board.rows
        ]
        found.append(replace(board, rows=tuple(rows)))
    return found


def trials_of(label: str) -> int | None:
    """How many trials searched the options of a row, as its label says: `… (tuned, 20 trials)`; None: not searched."""
    told = TUNED.search(label)
    return int(told[1]) if told else None


def _at_equal_passes(row: Row, kin: Sequence["Board"]) -> Gain | None:
    own = _Placed(kin[0], row)
    if not _comparable(row) or row.spending == "once":
        return None
    elsewhere = (_Placed(board, one) for board in kin[1:] for one in board.rows if one.label == row.label)
    again = [placed for placed in elsewhere if _comparable(placed.row)]
    for placed in (own, *sorted(again, key=lambda other: abs(log(other.row.passes / row.passes)))):
        # the board of the run itself goes first: nothing of another board then enters
        order = sorted(kin, key=lambda board: board is not placed.board)
        if gain := next(_gains(placed, _plain(order, "once"), own), None):
            return gain
    return next(_gains(own, _plain(kin[:1], "repeated"), own), None) if row.spending is None else None


def _at_equal_trials(row: Row, board: "Board") -> Gain | None:
    if row.spending == "once" or not (trials := trials_of(row.label)) or not _comparable(row):
        return None
    tuned = (placed for placed in _plain([board], "once") if trials_of(placed.row.label) == trials)
    own = _Placed(board, row)
    return next((_gain(own, placed, own) for placed in tuned), None)


def _plain(boards: Sequence["Board"], how: str) -> Iterator[_Placed]:
    return (_Placed(board, row) for board in boards for row in board.rows if row.spending == how and _comparable(row))


def _gains(placed: _Placed, references: Iterator[_Placed], own: _Placed) -> Iterator[Gain]:
    for reference in references:
        alike = trials_of(reference.row.label) == trials_of(placed.row.label)
        if alike and abs(reference.row.passes / placed.row.passes - 1) <= CLOSE:
            yield _gain(placed, reference, own)


def _gain(placed: _Placed, reference: _Placed, own: _Placed) -> Gain:
    """By the spread of the boards that both stand on, as rows of one board are compared."""
    first, second = placed.row.per_seed, reference.row.per_seed
    spreads = [board.spread for board in {b.hash: b for b in (placed.board, reference.board)}.values() if board.spread]
    gap = difference(first, second, merged(spreads)) if spreads else None
    return Gain(
        Estimate(gap.centre if gap else fmean(first.values()) - fmean(second.values()), gap),
        reference.row.label,
        _elsewhere(reference, own),
        repeated=reference.row.spending == "repeated",
        again=_elsewhere(placed, own),
    )


def _elsewhere(placed: _Placed, own: _Placed) -> str | None:
    return None if placed.board is own.board else placed.board.experiment


def _comparable(row: Row) -> bool:
    """Survivors of a diverged row are no estimate of it."""
    return bool(row.per_seed) and not row.diverged and row.is_method and row.passes > 0
