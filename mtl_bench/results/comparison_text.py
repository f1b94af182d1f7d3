"""A comparison in words: what is concluded, and what must be read with it."""

from collections.abc import Sequence

from mtl_bench.results.comparison import Comparison, Gap
from mtl_bench.results.intervals import Interval
from mtl_bench.results.render import COVERAGE, FEW, title
from mtl_bench.results.row import Row, told_astride
from mtl_bench.results.spread import Spread
from mtl_bench.results.table_text import signed_interval, signed_number

OPEN = "not told apart"
NAMED = 6  # tasks that a sentence names; more are counted


def heading(found: Comparison) -> str:
    return f"{title(found.board)}: {found.first.label} less {found.second.label}"


def conclusion(found: Comparison) -> str:
    """One sentence: who gains how much on what, and where the two are not told apart."""
    head = f"{found.first.label} against {found.second.label} on {found.board.experiment}"
    if found.diverged:
        return f"{head}: {' and '.join(map(_lost, found.diverged))}, so {_behind(found)}."
    everything = [*([found.delta_m] if found.delta_m else []), *found.tasks]
    if any(gap.interval is None for gap in everything):
        return f"{head}: nothing is told apart by one seed; train more."
    parts = [_total(found.delta_m)] if found.delta_m else []
    told = sorted((gap for gap in found.tasks if gap.verdict != OPEN), key=lambda gap: -abs(gap.mean))
    for verdict in ("gains", "loses"):
        named = [f"{_size(gap)} on {gap.name}" for gap in told[:NAMED] if gap.verdict == verdict]
        parts += [f"{verdict} {', '.join(named)}"] if named else []
    if more := told[NAMED:]:
        ahead = sum(gap.verdict == "gains" for gap in more)
        parts.append(f"gains less on {ahead} and loses less on {len(more) - ahead} further tasks")
    if same := [gap.name for gap in found.tasks if gap.verdict == OPEN]:
        parts.append(f"{OPEN} on {_names(same)}")
    return f"{head}: {'; '.join(parts)}."


def remarks(found: Comparison) -> list[str]:
    """What the numbers are and what they do not say."""
    base = "single-task means, whose noise cancels" if found.delta_m else f"the means of {found.second.label}"
    kind = "Paired by seed" if found.paired else "Unpaired, as no two seeds are shared (Welch)"
    seeds = f" over seeds {', '.join(map(str, found.shared))}" if found.paired else ""
    rows = (found.first, found.second)
    few = [row for row in rows if len(_compared(found, row)) < FEW]
    extra = [
        f"{row.label} has {len(row.converged)}" for row in rows if found.paired and len(row.values) > len(found.shared)
    ]
    return [
        f"{kind}{seeds}; changes are in percent of {base}. p is adjusted for all tasks (Holm).",
        *told_astride(found.reference),
        *([f"A mean of {found.second.label} is zero on {_names(found.zero)}: left out."] if found.zero else []),
        *([f"Seeds without a partner are left out: {', '.join(extra)}."] if extra else []),
        f"P: how often a seed of {found.first.label} is ahead of a seed of {found.second.label}, 0.5 is a coin; "
        f"over all seeds and metrics {found.better:.2f}.",
        *([_pooled(found, found.board.spread, found.pooled)] if found.board.spread and found.pooled else []),
        *([f"Warning: fewer than {FEW} seeds; the interval of three is twice as wide as that of five."] if few else []),
        *([] if found.delta_m else found.board.notes[:1]),
        COVERAGE,
    ]


def cells_of(gap: Gap) -> tuple[str, ...]:
    """Name, both means, difference, p, P and what is said of it: nothing where the two are not told apart."""
    p = "–" if gap.p is None else "<0.001" if gap.p < 0.001 else f"{gap.p:.3f}"
    gain = signed_interval(gap.interval) if gap.interval else signed_number(gap.mean)
    return (
        gap.name,
        signed_number(gap.first),
        signed_number(gap.second),
        gain,
        p,
        f"{gap.better:.2f}",
        "" if gap.verdict == OPEN else gap.verdict,
    )


def _total(gap: Gap) -> str:
    return f"{OPEN} in Δm ({_size(gap, sign=True)})" if gap.verdict == OPEN else f"{gap.verdict} {_size(gap)} in Δm"


def _size(gap: Gap, *, sign: bool = False) -> str:
    half = f" ±{gap.interval.half:.2f}" if gap.interval else ""
    return f"{signed_number(gap.mean) if sign else f'{abs(gap.mean):.2f}'}{half} %"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{len(names)} tasks"


def _lost(row: Row) -> str:
    return f"{len(row.converged)}/{len(row.seeds)} seeds of {row.label} converged"


def _behind(found: Comparison) -> str:
    if len(found.diverged) > 1:
        return "nothing is concluded"
    (last,) = found.diverged
    return f"{last.label} is ranked behind whatever the others give"


def _compared(found: Comparison, row: Row) -> Sequence[int]:
    return found.shared if found.paired else row.converged


def _pooled(found: Comparison, spread: Spread, gap: Interval) -> str:
    told = "cannot be told apart" if 0 in gap else "are told apart"
    wild = [row.label for row in (found.first, found.second) if not spread.judges(row.per_seed)]
    own = f" ({' and '.join(wild)} by its own, which is far larger)" if wild else ""
    return (
        f"By what Δm varies pooled over {spread.methods} methods{own}, which judges the rows of the board, the two "
        f"{told} in Δm: {signed_interval(gap)} %."
    )
