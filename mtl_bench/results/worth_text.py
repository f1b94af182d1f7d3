"""The gains of a board as cells, and the sentences that say where they come from or why they are missing."""

from collections.abc import Callable, Iterable, Sequence

from mtl_bench.results.board import Board
from mtl_bench.results.row import Gain, Row
from mtl_bench.results.table_text import signed_interval, signed_number
from mtl_bench.results.worth import CLOSE, trials_of

AT_PASSES = "Gain at\nequal\npasses %"
AT_TRIALS = "Gain at\nequal\ntrials %"
ELSEWHERE = "†"
DEFINITION = (
    "Worth it? Gain at equal passes: Δm less that of the plain sum given as many passes over its whole run (within "
    f"{CLOSE * 100:g} %); each ± is of one comparison."
)
KINDS: dict[str, Callable[[Row], Gain | None]] = {
    AT_PASSES: lambda row: row.at_equal_passes,
    AT_TRIALS: lambda row: row.at_equal_trials,
}


def worth_headers(board: Board) -> list[str]:
    """Columns in which any row has a gain."""
    return [header for header, gain in KINDS.items() if any(gain(row) for row in board.rows)]


def worth_cells(board: Board, row: Row, nothing: str) -> list[str]:
    texts = []
    for header in worth_headers(board):
        gain = KINDS[header](row)
        without = "reference" if _is_reference(row, header) else nothing
        texts.append(without if gain is None else gain_text(gain))
    return texts


def _is_reference(row: Row, header: str) -> bool:
    """The plain sum is what others gain over, and at equal trials only where it was searched itself."""
    return row.spending == "once" and (header != AT_TRIALS or trials_of(row.label) is not None)


def gain_text(gain: Gain) -> str:
    """`+1.23 ±0.40 †`, the mark where not all of it was trained on the row's own board."""
    span = gain.estimate.interval
    text = signed_interval(span) if span else signed_number(gain.estimate.mean)
    return f"{text} {ELSEWHERE}" if gain.on or gain.again or gain.repeated else text


def worth_lines(board: Board) -> list[str]:
    """Is it worth it? Nothing is said of a board without Δm or without a method beside the plain sum."""
    rows = [row for row in board.rows if row.is_method and row.spending != "once" and row.delta_m]
    if not rows:
        return []
    found = [row for row in rows if row.at_equal_passes]
    none = [row for row in rows if not row.at_equal_passes]
    told = [DEFINITION] if found else []
    sources = gain_sources((row.label, row.at_equal_passes) for row in found)
    return [*told, *sources, *_missing(none, rows), *_trials(rows)]


def gain_sources(gains: Iterable[tuple[str, Gain | None]]) -> list[str]:
    """What the mark stands for: one sentence per source beside a row's own board, with the names that have it."""
    sentences: dict[str, list[str]] = {}
    for name, gain in gains:
        if gain and (sentence := _source(gain)):
            sentences.setdefault(sentence, []).append(name)
    return [f"{ELSEWHERE} {sentence}: {_list(names)}." for sentence, names in sentences.items()]


def _source(gain: Gain) -> str:
    if gain.again and gain.again == gain.on:
        return f"Both as trained on {gain.on}"
    if gain.again or gain.on:
        return f"{f'As trained on {gain.again}, over' if gain.again else 'Over'} {gain.over} of {gain.on}"
    return f"Over {gain.over}, which spends as many passes on further steps per batch" if gain.repeated else ""


def _missing(rows: Sequence[Row], of: Sequence[Row]) -> list[str]:
    lost = [row.label for row in rows if row.diverged]
    none = [row.label for row in rows if not row.diverged]
    told = [f"No gain at equal passes of what did not converge: {_list(lost)}."] if lost else []
    if none:
        whose = "any row" if len(none) == len(of) else _list(none)
        told.append(f"No run of the plain sum at equal passes for {whose}.")
    return told


def _trials(rows: Sequence[Row]) -> list[str]:
    if any(row.at_equal_trials for row in rows):
        return ["Gain at equal trials: Δm less that of the plain sum, both searched with as many trials."]
    return ["No tuned run of the plain sum, so no gain at equal trials."]


def _list(labels: Iterable[str]) -> str:
    return ", ".join(labels)
