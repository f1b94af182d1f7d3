"""Δm of a board's methods over seeds as method + seed + residual.

Methods of one seed start from the same weights and see the same order of samples, so that their Δm rise and fall
together; what a seed does to all of them cancels in a difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Table = Mapping[int, float]  # seed → Δm of one method
NULL = 1e-8  # of a contrast that the tables cannot tell


@dataclass(frozen=True, eq=False)
class AdditiveModel:
    """Fitted by least squares; `variance` is that of the residuals, with `df` degrees of freedom.

    `effects` are of the tables' methods, then of the seeds, and `inverse` is the pseudoinverse of X'X over both.
    """

    tables: tuple[Table, ...]
    seeds: tuple[int, ...]
    variance: float
    df: int
    effects: Float[np.ndarray, " effects"]
    inverse: Float[np.ndarray, "effects effects"]
    design: Float[np.ndarray, "cells effects"]

    def contrast(self, first: Table, second: Table) -> tuple[float, float] | None:
        """Effect of the first method less that of the second, and its variance: of all their seeds. None where one is
        not among the tables, or no seed connects the two."""
        if first not in self.tables or second not in self.tables:
            return None
        weights = np.zeros(len(self.effects))
        weights[self.tables.index(first)] += 1
        weights[self.tables.index(second)] -= 1
        if np.abs(self.design.T @ (self.design @ (self.inverse @ weights)) - weights).max() > NULL:
            return None
        return float(weights @ self.effects), self.variance * float(weights @ self.inverse @ weights)

    def without_seeds(self, table: Table) -> list[float]:
        """Another method's Δm less the effects of their seeds, scaled to the variance of a residual; seeds that no
        table here has are left out."""
        effect = dict(zip(self.seeds, self.effects[len(self.tables) :].tolist(), strict=True))
        known = [seed for seed in table if seed in effect]
        counts = [sum(seed in other for other in self.tables) for seed in known]
        scale = (1 + float(np.mean([1 / count for count in counts]))) ** -0.5 if known else 1.0
        return [(table[seed] - effect[seed]) * scale for seed in known]

    def effective_df(self) -> float:
        """Satterthwaite's, of the variance that is pooled within methods: tr(AV)² / tr((AV)²), where A takes every
        method's mean away and V = σ² + the variance of seeds, by moments."""
        methods, seeds = self.design[:, : len(self.tables)], self.design[:, len(self.tables) :]
        values = self.design @ self.effects
        within = seeds - methods @ (methods.T @ seeds / methods.sum(axis=0)[:, None])
        between = within.T @ within  # S'AS
        df = len(self.design) - len(self.tables)
        fitted = values - methods @ (methods.T @ values / methods.sum(axis=0))
        squares = float(fitted @ fitted) + self.variance * self.df
        trace = float(np.trace(between))
        of_seeds = max(0.0, (squares - self.variance * df) / trace)
        first = self.variance * df + of_seeds * trace
        second = self.variance**2 * df + 2 * self.variance * of_seeds * trace + of_seeds**2 * float((between**2).sum())
        return first**2 / second if second else float(df)


def additive_model(tables: Sequence[Table]) -> AdditiveModel | None:
    """None where seeds that methods share are too few to know the residuals by: half of what is known of the whole
    spread would be lost."""
    seeds = sorted(set[int]().union(*tables))
    cells = [(method, seeds.index(seed), value) for method, table in enumerate(tables) for seed, value in table.items()]
    design = np.zeros((len(cells), len(tables) + len(seeds)))
    for place, (method, seed, _) in enumerate(cells):
        design[place, [method, len(tables) + seed]] = 1
    inverse, values = np.linalg.pinv(design.T @ design), np.array([value for *_, value in cells])
    df = len(cells) - int(np.linalg.matrix_rank(design))
    if not df or 2 * df < len(cells) - len(tables):
        return None
    effects = inverse @ (design.T @ values)
    variance = float(((values - design @ effects) ** 2).sum()) / df
    return AdditiveModel(tuple(tables), tuple(seeds), variance, df, effects, inverse, design)
