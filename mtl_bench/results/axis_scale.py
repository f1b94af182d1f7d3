"""Where numbers stand on a drawn axis, and in which tone."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import quantiles
from typing import Literal

from mtl_bench.results.row import Estimate, Row

REACH = 3.0  # interquartile ranges beyond the quartiles, from where on one value is cut off so that the others are seen
MARGIN = 0.04  # of the axis, free on both sides

Tone = Literal["better", "worse", "open"]


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`; what lies outside is cut off and says so."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """In percent of the axis."""
        return round(100 * min(max((value - self.low) / (self.high - self.low), 0), 1), 2)

    def holds(self, estimate: Estimate) -> bool:
        return self.low <= estimate.mean <= self.high


def delta_scale(rows: Iterable[Row]) -> Scale:
    """For Δm with its intervals: zero, and all rows but those far away from most."""
    known = [row.delta_m for row in rows if row.delta_m]
    ends = [end for one in known for end in _ends(one)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    if len(known) > 3:
        first, _, third = quantiles([one.mean for one in known], n=4, method="inclusive")
        reach = REACH * max(third - first, 0.5)
        low, high = max(low, min(first - reach, 0.0)), min(high, max(third + reach, 0.0))
    free = MARGIN * ((high - low) or 1.0)
    return Scale(low - free, high + free)


def tone(row: Row) -> Tone:
    """Of Δm: by the interval that tells the row from the single-task one, which need not be the one that is drawn."""
    if row.verdict is None or 0 in row.verdict:
        return "open"
    return "better" if row.verdict.low > 0 else "worse"


def _ends(estimate: Estimate) -> tuple[float, float]:
    span = estimate.interval
    return (span.low, span.high) if span else (estimate.mean, estimate.mean)
