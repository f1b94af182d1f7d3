"""From an entry to a leaderboard row: means, intervals and Δm of one configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mtl_bench.records import Shared
from mtl_bench.results.change import Directions, Term, Terms, Values, delta_m, seed_mean, task_means
from mtl_bench.results.entries import Cost, Entry
from mtl_bench.results.intervals import Interval, interval, mean_interval
from mtl_bench.results.plain_sum import Spending
from mtl_bench.results.spread import Spread

POOLED = 6  # methods of a board from which their pooled spread speaks for each of them

Standing = Literal["best", "tied", "behind", "diverged"]


@dataclass(frozen=True)
class Estimate:
    """A mean over the seeds that converged; no interval where a seed diverged or there is only one."""

    mean: float
    interval: Interval | None


@dataclass(frozen=True)
class Gain:
    """Δm of a method less that of a row of the plain sum, in percent.

    `over` is that row's label and `on` the experiment of its board (None: the same). `repeated`: it steps several times
    per batch. `again`: the experiment of another board on which the method was trained with its budget, for this.
    """

    estimate: Estimate
    over: str
    on: str | None = None
    repeated: bool = False
    again: str | None = None


@dataclass(frozen=True)
class Column:
    """A judged metric: one that counts in Δm."""

    task: str
    metric: str
    unit: str
    higher_is_better: bool


@dataclass(frozen=True)
class Row:
    """One entry of a board.

    `changes` is the relative change per task in percent (inside a task its metrics weigh alike) and `per_seed` Δm per
    converged seed, both against the single-task means; `values` are the test values of each converged seed. `hashes`
    name the runs that were read. `is_single_task`: Δm is against this row; a table can hold single-task runs beside it,
    which are no method either. `standing` compares Δm with the best row of two or more seeds: "behind" when the 95 %
    interval of the difference lies above 0, else "tied", None where one seed or missing single-task runs allow no
    judgement. The difference is judged by what is pooled over the board's methods; from the single-task row it is
    `from_single`, the interval of Δm with their whole spread, where six methods or more have one, else with the row's
    own. `passes` are those of whole runs. The gains over the plain sum are None where no run of it compares.
    """

    label: str
    seeds: tuple[int, ...]
    converged: tuple[int, ...]
    metrics: Mapping[Term, Estimate]
    delta_m: Estimate | None
    changes: Mapping[str, Estimate]
    per_seed: Mapping[int, float]
    values: Mapping[int, Values]
    cost: Cost
    shares: Mapping[str, float]  # task → effective gradient share, 0 to 1; empty without diagnostics
    hashes: tuple[str, ...]
    parameters: int | None = None  # of all networks that serve
    is_single_task: bool = False
    is_method: bool = True
    from_single: Interval | None = None
    standing: Standing | None = None
    passes: float = 0.0
    spending: Spending | None = None
    at_equal_passes: Gain | None = None
    at_equal_trials: Gain | None = None

    @property
    def diverged(self) -> bool:
        return len(self.converged) < len(self.seeds)

    @property
    def verdict(self) -> Interval | None:
        """Of Δm, by which the row is told from the single-task one."""
        return self.from_single or (self.delta_m.interval if self.delta_m else None)

    @property
    def worst_task(self) -> str | None:
        """The task that lost most against its single-task run, or gained least."""
        return min(self.changes, key=lambda task: self.changes[task].mean) if self.changes else None

    @property
    def astride(self) -> tuple[str, ...]:
        """Metrics, as "rmse of depth", whose seeds lie on both sides of 0, and whose interval of the mean holds it."""
        return tuple(
            f"{metric} of {task}"
            for (task, metric), estimate in self.metrics.items()
            if estimate.interval
            and 0 in estimate.interval
            and len({seed[task][metric] > 0 for seed in self.values.values()}) > 1
        )

    @property
    def tasks_hurt(self) -> tuple[str, ...] | None:
        """Tasks whose interval of the relative change lies below zero; None where no interval exists."""
        found = {task: change.interval for task, change in self.changes.items() if change.interval}
        if not found or len(found) < len(self.changes):
            return None
        return tuple(task for task, span in found.items() if span.high < 0)


def told_astride(row: Row) -> list[str]:
    """What to say where changes are relative to the row: one sentence, if any."""
    names = ", ".join(row.astride)
    told = f"Seeds of {row.label} lie on both sides of zero in {names}: changes relative to their mean say little."
    return [told] if names else []


class Judge:
    """Turns the entries of one setting into rows, all against the same single-task means.

    `usable` False (a flawed single-task entry) leaves everything relative out, as does no single-task entry.
    """

    def __init__(self, setting: Shared, single: Entry | None, usable: bool) -> None:
        self.definition: str = setting["delta_m"]["definition"]
        self.terms: Terms = setting["delta_m"]["terms"]
        self.single, self.relative = single, single is not None and usable
        specs = setting["metrics"]
        self.better: Directions = {
            task: {metric: spec["higher_is_better"] for metric, spec in metrics.items()}
            for task, metrics in specs.items()
        }
        self.columns = tuple(
            Column(task, metric, specs[task][metric]["unit"], self.better[task][metric])
            for task, metrics in self.terms.items()
            for metric in metrics
        )
        # every task by all of its seeds: their number may differ from task to task
        self.baseline_runs = {task: single.every_seed(task) for task in self.terms} if single and usable else {}
        self.baseline = task_means(self.baseline_runs, self.terms) if self.baseline_runs else {}

    def row(self, entry: Entry, spread: Spread | None = None) -> Row:
        """Diverged seeds are never averaged in; the row then has no interval, which would claim to cover every seed."""
        seeds, converged = entry.seeds, entry.converged(self.terms)
        runs = [entry.values(seed) for seed in converged]
        whole, own = seeds == converged, entry is self.single
        tables = self.baseline_runs if own and self.relative else self._by_task(runs)
        compare = self.relative and bool(runs)
        changes = {task: self._change(runs, {task: metrics}, whole) for task, metrics in self.terms.items() if compare}
        delta = self._change(runs, self.terms, whole) if compare else None
        return Row(
            label=entry.label,
            seeds=tuple(seeds),
            converged=tuple(converged),
            metrics={(c.task, c.metric): self._metric(c, tables[c.task], whole) for c in self.columns if runs},
            delta_m=Estimate(0.0, None) if own and delta else delta,
            changes={} if own else changes,
            per_seed={seed: self._delta(run, self.terms) for seed, run in zip(converged, runs, strict=True) if compare},
            values=dict(zip(converged, runs, strict=True)),
            cost=entry.cost,
            shares=entry.shares(converged),
            hashes=tuple(entry.behind),
            parameters=entry.parameters,
            is_single_task=own,
            is_method=entry.is_method,
            from_single=self._interval(runs, self.terms, spread if spread and spread.methods >= POOLED else None)
            if compare and whole and not own
            else None,
            passes=entry.passes,
            spending=entry.spending,
        )

    def change(self, entry: Entry, terms: Terms) -> Estimate:
        """Of an entry whose seeds all converged, over the terms of some of the tasks."""
        return self._change([entry.values(seed) for seed in entry.seeds], terms, whole=True)

    def changes_per_seed(self, entry: Entry, terms: Terms) -> dict[int, float]:
        """Likewise, of every seed alone."""
        return {seed: self._delta(entry.values(seed), terms) for seed in entry.seeds}

    def _metric(self, column: Column, table: Sequence[Mapping[str, float]], whole: bool) -> Estimate:
        values = [run[column.metric] for run in table]
        return Estimate(seed_mean(values), mean_interval(values) if whole else None)

    def _change(self, runs: Sequence[Values], terms: Terms, whole: bool) -> Estimate:
        span = self._interval(runs, terms) if whole else None
        return Estimate(self._delta(task_means(self._by_task(runs), self.terms), terms), span)

    def _interval(self, runs: Sequence[Values], terms: Terms, spread: Spread | None = None) -> Interval | None:
        return interval(runs, self.baseline_runs, self.better, self.definition, terms, spread)

    def _delta(self, values: Values, terms: Terms) -> float:
        return delta_m(values, self.baseline, self.better, self.definition, terms)

    def _by_task(self, runs: Sequence[Values]) -> dict[str, list[Mapping[str, float]]]:
        return {task: [run[task] for run in runs] for task in self.terms}
