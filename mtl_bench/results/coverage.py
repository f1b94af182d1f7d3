"""How often an interval of Δm holds the true value, on simulated seeds with noise in the single-task runs too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from mtl_bench.results.change import Directions, Terms, Values, delta_m, term_slopes
from mtl_bench.results.intervals import LEVEL, Interval, interval, mean_interval, variance_parts

RESAMPLES = 1000  # of a bootstrap
Baselines = Mapping[str, Sequence[Mapping[str, float]]]


@dataclass(frozen=True)
class Simulated:
    """A protocol whose true values are known: `gains` are relative changes of the method's, one per metric.

    Metrics of one run are equally correlated (of a single-task run within its task), and all have the same relative
    noise over seeds. `single_seeds` None: as many as the method has.
    """

    name: str
    metrics: tuple[int, ...]  # per task
    definition: str
    gains: tuple[float, ...]
    method_noise: float = 0.01
    single_noise: float = 0.01
    correlation: float = 0.5
    single_seeds: int | None = None

    @property
    def terms(self) -> Terms:
        return {f"task_{k}": [f"metric_{m}" for m in range(count)] for k, count in enumerate(self.metrics)}

    @property
    def better(self) -> Directions:
        """Every second metric is an error."""
        return {task: {metric: m % 2 == 0 for m, metric in enumerate(names)} for task, names in self.terms.items()}

    def true_values(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the method and of single-task training: 50 where higher is better, 0.5 where lower is."""
        signs = np.array([1 if up else -1 for metrics in self.better.values() for up in metrics.values()])
        single = np.where(signs > 0, 50.0, 0.5)
        return single * (1 + signs * np.array(self.gains)), single

    def table(self, row: Float[np.ndarray, " metrics"]) -> dict[str, dict[str, float]]:
        values = iter(row.tolist())
        return {task: {metric: next(values) for metric in metrics} for task, metrics in self.terms.items()}

    def truth(self) -> float:
        method, single = self.true_values()
        return delta_m(self.table(method), self.table(single), self.better, self.definition, self.terms)

    def draw(self, seeds: int, rng: np.random.Generator) -> tuple[list[dict[str, dict[str, float]]], Baselines]:
        """The method's tables, one per seed, and the single-task runs of each task."""
        method, single = self.true_values()
        rows = method * (1 + self.method_noise * self._noise(rng, seeds, len(method)))
        runs: dict[str, list[dict[str, float]]] = {}
        start = 0
        for task, names in self.terms.items():
            own = single[start : start + len(names)]
            start += len(names)
            values = own * (1 + self.single_noise * self._noise(rng, self.single_seeds or seeds, len(own)))
            runs[task] = [dict(zip(names, row.tolist(), strict=True)) for row in values]
        return [self.table(row) for row in rows], runs

    def _noise(self, rng: np.random.Generator, seeds: int, metrics: int) -> Float[np.ndarray, "seeds metrics"]:
        shared, own = rng.standard_normal((seeds, 1)), rng.standard_normal((seeds, metrics))
        return self.correlation**0.5 * shared + (1 - self.correlation) ** 0.5 * own


Rule = Callable[[Simulated, Sequence[Values], Baselines, np.random.Generator], Interval | None]


def coverage(world: Simulated, seeds: int, draws: int, rule: Rule, seed: int = 0) -> float:
    """Share of draws whose interval by the rule holds the true Δm."""
    rng, truth, hits = np.random.default_rng(seed), world.truth(), 0
    for _ in range(draws):
        found = rule(world, *world.draw(seeds, rng), rng)
        hits += found is not None and truth in found
    return hits / draws


def welch(world: Simulated, rows: Sequence[Values], runs: Baselines, rng: np.random.Generator) -> Interval | None:
    """Ours: the delta method with Welch–Satterthwaite degrees of freedom."""
    return interval(rows, runs, world.better, world.definition, world.terms)


def second_order(
    world: Simulated, rows: Sequence[Values], runs: Baselines, rng: np.random.Generator
) -> Interval | None:
    """The same variance under a critical value to second order in 1/df (Aspin, Biometrika 1948), which depends on how
    the variance divides into its parts, and not on degrees of freedom that are estimated from them."""
    found = variance_parts(rows, runs, world.better, world.definition, world.terms)
    if found is None:
        return None
    v, f = _variances(found[1])
    z, total = float(stats.norm.ppf((1 + LEVEL) / 2)), float(v.sum())
    first, finer, third = (float((v**a / f**b).sum()) / total**a for a, b in ((2, 1), (2, 2), (3, 2)))
    more = (1 + z**2) / 4 * first - (1 + z**2) / 2 * finer + (3 + 5 * z**2 + z**4) / 3 * third
    more -= (15 + 32 * z**2 + 9 * z**4) / 32 * first**2
    return _around(found[0], z * (1 + more) * total**0.5)


def pooled(world: Simulated, rows: Sequence[Values], runs: Baselines, rng: np.random.Generator) -> Interval | None:
    """The method's variance pooled over a board of twenty that are all as noisy as it is."""
    found = variance_parts(rows, runs, world.better, world.definition, world.terms)
    others = world.draw(1 + 19 * (len(rows) - 1), rng)[0]  # as many degrees of freedom as nineteen methods have
    told = variance_parts(others, runs, world.better, world.definition, world.terms)
    if found is None or told is None:
        return None
    v, f = _variances(found[1])
    v[0], f[0] = (v[0] + 19 * float(told[1][0].var(ddof=1)) / len(rows)) / 20, 20 * f[0]
    df = float(v.sum() ** 2 / (v**2 / f).sum())
    return _around(found[0], float(stats.t.ppf((1 + LEVEL) / 2, df)) * float(v.sum()) ** 0.5)


def fixed_baseline(
    world: Simulated, rows: Sequence[Values], runs: Baselines, rng: np.random.Generator
) -> Interval | None:
    """Student's t on Δm per seed, as if the single-task means were exact."""
    means = _means(world, runs)
    return mean_interval([delta_m(row, means, world.better, world.definition, world.terms) for row in rows])


def percentile_bootstrap(
    world: Simulated, rows: Sequence[Values], runs: Baselines, rng: np.random.Generator
) -> Interval | None:
    """Seeds of the method and of every task's single-task runs drawn again, each by itself."""
    terms = [(task, metric) for task, metrics in world.terms.items() for metric in metrics]
    slopes = term_slopes(_means(world, runs), world.better, world.definition, world.terms)
    method = np.array([[row[task][metric] for task, metric in terms] for row in rows])
    resampled = method[rng.integers(len(rows), size=(RESAMPLES, len(rows)))].mean(axis=1)
    total = np.zeros(RESAMPLES)
    for task, metrics in world.terms.items():
        values = np.array([[run[metric] for metric in metrics] for run in runs[task]])
        single = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
        own = [k for k, term in enumerate(terms) if term[0] == task]
        weights = np.array([slopes[terms[k]] for k in own]) * values.mean(axis=0)  # 100 ω s, as B̄ > 0
        total += ((resampled[:, own] / single - 1) * weights).sum(axis=1)
    low, high = np.quantile(total, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return _around((low + high) / 2, (high - low) / 2)


def _variances(parts: Sequence[np.ndarray]) -> tuple[Float[np.ndarray, " parts"], Float[np.ndarray, " parts"]]:
    """Of the mean of every part, with its degrees of freedom."""
    f = np.array([len(part) - 1.0 for part in parts])
    return np.array([part.var(ddof=1) for part in parts]) / (f + 1), f


def _around(centre: float, half: float) -> Interval:
    return Interval(centre - half, centre + half, float("inf"))


def _means(world: Simulated, runs: Baselines) -> dict[str, dict[str, float]]:
    return {
        task: {metric: float(np.mean([run[metric] for run in runs[task]])) for metric in metrics}
        for task, metrics in world.terms.items()
    }
