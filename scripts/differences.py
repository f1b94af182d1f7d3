"""Every row of a committed board against one of them: `python scripts/differences.py rooms_task_norm ls`.

Prints the Δm of each row less that of the row named, ± half its 95 % interval by what Δm varies beside method and seed,
pooled over the board's methods, and beside it the paired one of the two rows alone. What is said of it: above or below
where 0 is outside (in brackets where 0 is inside once Holm's correction for all rows printed is made), equal where the
difference lies within the margin by two one-sided tests at 5 %, else that the two cannot be told apart. Of single-task
it prints Δm, by the interval that says whether a row is told from it. With `--of` the row is one of another board with
the same baselines, over all seeds and by the whole spread pooled over both.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mtl_bench.records.entry import find_entries
from mtl_bench.records.record import find_records
from mtl_bench.results import Board, Interval, Row, difference, equivalent, holm, leaderboards, paired_difference
from mtl_bench.results.spread import merged
from mtl_bench.results.table_text import signed_interval

T = TypeVar("T")
WIDTH = 100

ROOT = Path(__file__).parents[1]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    parser.add_argument("row", help="the label of the row that all are compared with")
    parser.add_argument("--of", help="the experiment of that row (default: the same)")
    parser.add_argument("--margin", type=float, default=1.0, help="what counts as equal, in %% of Δm (default: 1)")
    parsed = parser.parse_args(arguments)
    roots = [ROOT / "results/reference"]
    found = sorted(leaderboards(find_records(roots), find_entries(roots)), key=lambda board: len(board.rows))
    boards = {board.experiment: board for board in found}  # of several of one name the one with most rows
    board, other = (_found(boards, name, "board") for name in (parsed.experiment, parsed.of or parsed.experiment))
    if _reference(board) != _reference(other):
        raise SystemExit(f"Δm of {board.experiment} and {other.experiment} are against different single-task runs.")
    against = _found({row.label: row for row in other.rows}, parsed.row, "row")
    console = Console()
    console.width = max(console.width, WIDTH)  # nothing in the table folds
    console.print(_table(board, other, against, parsed.margin))


def _found(known: dict[str, T], name: str, what: str) -> T:
    if name not in known:
        raise SystemExit(f"No {what} {name!r}; there are: {', '.join(known) or 'none'}.")
    return known[name]


def _reference(board: Board) -> list[object]:
    """What two Δm must share to be subtracted."""
    entry = next(entry for entry in board.entries.values() if entry.is_method)
    first = next(iter(next(iter(entry.behind.values())).values()))
    return [first["baselines"], first["delta_m"], first["selection"]]


def _table(board: Board, other: Board, against: Row, margin: float) -> Table:
    spreads = {each.hash: each.spread for each in (board, other) if each.spread}
    if not spreads:
        raise SystemExit("No method here has two seeds, so there is no spread to judge differences by.")
    spread, alone = merged(list(spreads.values())), against.is_single_task
    compared = [row for row in board.rows if row is not against and row.is_method and not row.diverged]
    gaps = [row.verdict if alone else difference(row.per_seed, against.per_seed, spread) for row in compared]
    found = [(row, gap) for row, gap in zip(compared, gaps, strict=True) if gap]
    adjusted = holm([gap.p_value for _, gap in found])
    table = Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    wild = [row.label for row in compared if not spread.judges(row.per_seed)]
    apart = f", {', '.join(wild)} by their own seeds" if wild else ""
    pooled = f"pooled over {spread.methods} methods{apart}" if not alone else "as the board tells rows from it"
    table.caption = f"Δm in %, less that of {against.label} on {other.experiment}; {pooled}"
    for name in ("Row", "Difference", "Said of it", "Paired"):
        table.add_column(name, justify="right" if name in ("Difference", "Paired") else "left", no_wrap=True)
    for (row, gap), p in zip(found, adjusted, strict=True):
        paired = None if alone else paired_difference(row.per_seed, against.per_seed)
        table.add_row(
            Text(row.label), signed_interval(gap), _said(gap, p, margin), signed_interval(paired) if paired else "–"
        )
    return table


def _said(gap: Interval, adjusted: float, margin: float) -> str:
    near = equivalent(gap, margin)
    if 0 not in gap:
        word = "above" if gap.low > 0 else "below"
        return (word if adjusted < 0.05 else f"({word})") + (f", by less than {margin:g} %" if near else "")
    return f"equal within {margin:g} %" if near else "cannot be told apart"


if __name__ == "__main__":
    main()
