"""How far Δm varies over seeds on a board, and differences between its methods judged by that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from jaxtyping import Float
from scipy import stats

from mtl_bench.results.intervals import Interval, share, t_interval

OUTLYING, LEAST = 0.01, 3  # level of Cochran's test, as in ISO 5725-2, and the methods it needs
Table = Mapping[int, float]  # seed → Δm


@dataclass(frozen=True)
class Residual:
    """Variance of Δm beside what its method and its seed add to it, with its degrees of freedom.

    A seed is one initialisation and one order of samples for all methods of a board, so that their Δm rise and fall
    together; in a difference over shared seeds that cancels.
    """

    variance: float
    df: int


@dataclass(frozen=True)
class Spread:
    """Variance of Δm over seeds, pooled over several methods: Σ (n_i − 1) s_i² / Σ (n_i − 1).

    `methods` were pooled, `df` is the denominator, and `effective` what it is worth where seeds move all methods alike
    (Satterthwaite's, of the two mean squares; `df` where they do not). `equal` is the p-value of Brown and Forsythe's
    test (1974) that all have one variance; None below three seeds each. `residual` is what is left beside methods and
    seeds; None where no two methods share two seeds. `out` methods more had a variance so much larger that it speaks
    for nobody else's, and stand on their own.
    """

    variance: float
    df: int
    methods: int
    equal: float | None
    effective: float
    residual: Residual | None = None
    out: int = 0

    def holds(self, values: Sequence[float] | Float[np.ndarray, " seeds"]) -> bool:
        """Whether it speaks for a method with these Δm."""
        every = self.methods + self.out
        return every < LEAST or not _outlying(values, self.variance, self.df, every)

    def share(self, values: Sequence[float] | Float[np.ndarray, " seeds"]) -> tuple[float, float]:
        """Variance of their mean, and its degrees of freedom."""
        return (self.variance / len(values), self.effective) if self.holds(values) else share(values)


def pooled_spread(per_seed: Sequence[Table]) -> Spread | None:
    """The spread of methods, those with one seed left out; None where none has two.

    Cochran's test (1941), as ISO 5725-2 has it for the laboratories of a trial, takes out a method with a variance far
    above all others', and asks again: one that nearly diverged would otherwise hide every difference.
    """
    tables = sorted((table for table in per_seed if len(table) > 1), key=lambda one: float(np.var(_values(one))))
    kept, every = list(tables), len(tables)
    while len(kept) >= LEAST:
        others = [[*kept[:n], *kept[n + 1 :]] for n in range(len(kept))]
        apart = [n for n, rest in enumerate(others) if _outlying(_values(kept[n]), *_pooled(rest), every)]
        if not apart:
            break
        del kept[apart[-1]]
    variance, df = _pooled(kept)
    if not df:
        return None
    testable = len(kept) > 1 and min(map(len, kept)) > 2 and variance > 0
    equal = float(stats.levene(*map(_values, kept), center="median").pvalue) if testable else None
    residual = _residual(kept)
    effective = _effective(variance, df, residual)
    return Spread(variance, df, len(kept), equal, effective, residual, every - len(kept))


def merged(spreads: Sequence[Spread]) -> Spread:
    """One spread of several boards' methods, weighted by their degrees of freedom. A seed of another board need not
    move its methods as it does here: nothing cancels."""
    if len(spreads) == 1:
        return spreads[0]
    df = sum(spread.df for spread in spreads)
    parts = [spread.variance * spread.df / df for spread in spreads]
    methods, out = sum(spread.methods for spread in spreads), sum(spread.out for spread in spreads)
    squares = sum(part**2 / spread.effective for part, spread in zip(parts, spreads, strict=True))
    effective = sum(parts) ** 2 / squares if squares else float(df)
    return Spread(sum(parts), df, methods, None, effective, out=out)


def difference(first: Table, second: Table, spread: Spread) -> Interval | None:
    """t interval of the mean of first − second over the seeds that both have, by the board's residual variance.

    Where they share fewer than two seeds, come from two boards, or one varies far more than the others do, of the means
    of all their seeds, by the whole spread or that method's own. None where one has a single seed.

    Both Δm must be taken against the same single-task means: their noise then cancels and rightly stays out. Rank and
    sign-flip tests cannot go below p = 0.25 at 3 seeds, so they are no substitute.
    """
    if min(len(first), len(second)) < 2:
        return None
    seeds, tables = sorted(first.keys() & second.keys()), [_values(first), _values(second)]
    if spread.residual is None or len(seeds) < 2 or not all(map(spread.holds, tables)):
        return t_interval(fmean(tables[0]) - fmean(tables[1]), _apart(tables, spread))
    centre = fmean(first[seed] - second[seed] for seed in seeds)
    return t_interval(centre, [(2 * spread.residual.variance / len(seeds), spread.residual.df)])


def _apart(tables: Sequence[Sequence[float]], spread: Spread) -> list[tuple[float, float]]:
    """One part for what is pooled, whose degrees of freedom both means share."""
    if not all(map(spread.holds, tables)):
        return [spread.share(table) for table in tables]
    return [(spread.variance * sum(1 / len(table) for table in tables), spread.effective)]


def _values(table: Table) -> list[float]:
    return list(table.values())


def _pooled(tables: Sequence[Table]) -> tuple[float, int]:
    df = sum(len(table) - 1 for table in tables)
    squares = sum(float(np.var(_values(table), ddof=1)) * (len(table) - 1) for table in tables)
    return squares / max(1, df), df


def _residual(tables: Sequence[Table]) -> Residual | None:
    """Of the additive model method + seed, by least squares: not every method need have every seed."""
    seeds = sorted(set[int]().union(*tables))
    cells = [(method, seeds.index(seed), value) for method, table in enumerate(tables) for seed, value in table.items()]
    design = np.zeros((len(cells), len(tables) + len(seeds)))
    for place, (method, seed, _) in enumerate(cells):
        design[place, [method, len(tables) + seed]] = 1
    values = np.array([value for *_, value in cells])
    found, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    df = len(cells) - int(rank)
    return Residual(float(((values - design @ found) ** 2).sum()) / df, df) if df else None


def _effective(variance: float, df: int, residual: Residual | None) -> float:
    """Satterthwaite's degrees of freedom of the pooled variance, a mean of the mean squares of seeds and residuals."""
    if residual is None or residual.df == df:
        return float(df)
    seeds = df - residual.df
    of_residual = residual.variance * residual.df
    of_seeds = max(0.0, variance * df - of_residual)
    squares = of_seeds**2 / seeds + of_residual**2 / residual.df
    return (of_seeds + of_residual) ** 2 / squares if squares else float(df)


def _outlying(values: Sequence[float] | Float[np.ndarray, " seeds"], variance: float, df: int, methods: int) -> bool:
    """Cochran's test in the form that takes unequal numbers: F of one variance over the others', times their number."""
    if len(values) < 2:
        return False
    if variance <= 0:  # the others agree to the last bit
        return float(np.ptp(values)) > 0
    ratio = float(np.var(values, ddof=1)) / variance
    return methods * float(stats.f.sf(ratio, len(values) - 1, df)) < OUTLYING
