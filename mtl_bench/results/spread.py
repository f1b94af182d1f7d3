"""How far Δm varies over seeds on a board, and differences between its methods judged by that."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from jaxtyping import Float
from scipy import stats

from mtl_bench.results.additive_model import AdditiveModel, Table, additive_model
from mtl_bench.results.intervals import ROUNDING, Interval, settled, share, t_interval

OUTLYING, LEAST = 0.01, 3  # level of Cochran's test, as in ISO 5725-2, and the methods it needs


@dataclass(frozen=True)
class Spread:
    """Variance of Δm over seeds, pooled over several methods: Σ (n_i − 1) s_i² / Σ (n_i − 1).

    `methods` were pooled, `df` is the denominator, and `effective` what it is worth where a seed moves all methods
    alike. `equal` is the p-value of Brown and Forsythe's test (1974) that all have one variance; None below three seeds
    each. `model` tells what is left of it beside methods and seeds; None where they share too few of these. Methods
    that are `apart` varied so much more that they speak for nobody else, and stand on their own.
    """

    variance: float
    df: int
    methods: int
    equal: float | None
    effective: float
    model: AdditiveModel | None = None
    apart: tuple[Table, ...] = ()

    def holds(self, values: Sequence[float] | Float[np.ndarray, " seeds"]) -> bool:
        """Whether it speaks for a method with these Δm."""
        every = self.methods + len(self.apart)
        return every < LEAST or not _outlying(values, self.variance, self.df, every)

    def share(self, values: Sequence[float] | Float[np.ndarray, " seeds"]) -> tuple[float, float]:
        """Variance of their mean, and its degrees of freedom."""
        return (self.variance / len(values), self.effective) if self.holds(values) else share(values)

    def judges(self, table: Table) -> bool:
        """Whether differences from a row with these Δm are judged by it, and not by the row's own seeds."""
        return table not in self.apart and self.holds(_values(table))


def pooled_spread(per_seed: Sequence[Table]) -> Spread | None:
    """The spread of methods, those with one seed left out; None where none has two.

    Cochran's test (1941), as ISO 5725-2 has it for the laboratories of a trial, takes out a method with a variance far
    above all others', beside what its seeds do to them, and asks again: one that nearly diverged would otherwise hide
    every difference.
    """
    tables = sorted((table for table in per_seed if len(table) > 1), key=lambda one: float(np.var(_values(one))))
    kept, gone, every = list(tables), list[Table](), len(tables)
    while len(kept) >= LEAST:
        apart = [n for n in range(len(kept)) if _is_apart(kept[n], [*kept[:n], *kept[n + 1 :]], every)]
        if not apart:
            break
        gone.append(kept.pop(apart[-1]))
    variance, df = _pooled(kept)
    if not df:
        return None
    testable = len(kept) > 1 and min(map(len, kept)) > 2 and variance > 0
    equal = float(stats.levene(*map(_values, kept), center="median").pvalue) if testable else None
    model = additive_model(kept)
    effective = model.effective_df() if model else float(df)
    return Spread(variance, df, len(kept), equal, effective, model, tuple(gone))


def merged(spreads: Sequence[Spread]) -> Spread:
    """One spread of several boards' methods, weighted by their degrees of freedom. A seed of another board need not
    move its methods as it does here: nothing cancels."""
    if len(spreads) == 1:
        return spreads[0]
    df = sum(spread.df for spread in spreads)
    parts = [spread.variance * spread.df / df for spread in spreads]
    methods, apart = sum(spread.methods for spread in spreads), [table for spread in spreads for table in spread.apart]
    squares = sum(part**2 / spread.effective for part, spread in zip(parts, spreads, strict=True))
    effective = sum(parts) ** 2 / squares if squares else float(df)
    return Spread(sum(parts), df, methods, None, effective, apart=tuple(apart))


def difference(first: Table, second: Table, spread: Spread) -> Interval | None:
    """t interval of Δm of the first method less that of the second, both of the board that the spread is of.

    By the additive model where both are part of it; else of the means of all their seeds, by the whole spread or by a
    method's own. None where one has a single seed.

    Both Δm must be taken against the same single-task means: their noise then cancels and rightly stays out. Rank and
    sign-flip tests cannot go below p = 0.25 at 3 seeds, so they are no substitute.
    """
    if min(len(first), len(second)) < 2:
        return None
    if spread.model and (found := spread.model.contrast(first, second)):
        centre, variance = found
        return t_interval(settled(centre), [(variance, spread.model.df)])
    both, pooled = (first, second), [spread.judges(table) for table in (first, second)]
    parts = [spread.share(_values(one)) if by else share(_values(one)) for one, by in zip(both, pooled, strict=True)]
    if all(pooled):  # one part, whose degrees of freedom both means share
        parts = [(sum(variance for variance, _ in parts), spread.effective)]
    return t_interval(settled(fmean(first.values()) - fmean(second.values())), parts)


def is_behind(gap: Interval) -> bool:
    """Whether the row is told from the best, which it may lead over the seeds that both have."""
    return gap.low > 0


def _is_apart(table: Table, others: Sequence[Table], methods: int) -> bool:
    model = additive_model(others)
    beside = model.without_seeds(table) if model else []
    if model and len(beside) > 1:
        return _outlying(beside, model.variance, model.df, methods)
    return _outlying(_values(table), *_pooled(others), methods)


def _values(table: Table) -> list[float]:
    return list(table.values())


def _pooled(tables: Sequence[Table]) -> tuple[float, int]:
    df = sum(len(table) - 1 for table in tables)
    squares = sum(float(np.var(_values(table), ddof=1)) * (len(table) - 1) for table in tables)
    return squares / max(1, df), df


def _outlying(values: Sequence[float] | Float[np.ndarray, " seeds"], variance: float, df: int, methods: int) -> bool:
    """Cochran's test in the form that takes unequal numbers: F of one variance over the others', times their number."""
    if len(values) < 2:
        return False
    if variance < ROUNDING**2:  # the others agree to the last bit
        return float(np.ptp(values)) > ROUNDING
    ratio = float(np.var(values, ddof=1)) / variance
    return methods * float(stats.f.sf(ratio, len(values) - 1, df)) < OUTLYING
