"""Δm: how much better or worse than single-task learning, in percent; higher is better, always."""

from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import fmean
from typing import TypeVar

from mtl_bench.errors import BenchError

Values = Mapping[str, Mapping[str, float]]  # task → metric → value
Directions = Mapping[str, Mapping[str, bool]]  # task → metric → higher is better
Terms = Mapping[str, Sequence[str]]  # task → the metrics that count in Δm
Term = tuple[str, str]  # (task, metric)

ROUNDED = 1e-12  # of the largest seed: what is left where seeds add up to zero
LEAST = 1e-60  # the fourth power of a change relative to less, which intervals take, is no number

_Cell = TypeVar("_Cell", float, bool)


def delta_m(values: Values, baseline: Values, higher_is_better: Directions, definition: str, terms: Terms) -> float:
    """Mean relative change Σ_t 100 ω_t s_t (M_t − B_t) / |B_t| over the terms t (Maninis et al., CVPR 2019, with the
    sign turned so that higher is better, and of the baseline's size alone: R² and likelihoods go below zero).

    `definition` sets the weights ω_t: "metric_mean" weighs every metric alike, "task_mean" averages inside each task
    first, "one_per_task" admits one metric per task. On NYUv2 (2 + 2 + 5 metrics) the first two can differ in sign.

    Raises BenchError when a task or metric is missing, a value is not finite, or a baseline is zero.
    """
    slopes = term_slopes(baseline, higher_is_better, definition, terms)
    return sum(slope * (at(values, term) - at(baseline, term)) for term, slope in slopes.items())


def term_slopes(baseline: Values, higher_is_better: Directions, definition: str, terms: Terms) -> dict[Term, float]:
    """100 ω_t s_t / |B_t| per term: by how many percent Δm moves when the method's metric t moves by one unit."""
    slopes = {}
    for term, weight in term_weights(definition, terms).items():
        reference = at(baseline, term)
        if abs(reference) < LEAST:
            raise BenchError(
                f"The single-task value of {term[1]!r} of task {term[0]!r} is zero, so no relative change exists; "
                "take the metric out of the Δm terms."
            )
        sign = 1 if _look_up(higher_is_better, term) else -1
        slopes[term] = 100 * weight * sign / abs(reference)
    return slopes


def term_weights(definition: str, terms: Terms) -> dict[Term, float]:
    """The weight ω_t of every term; they sum to one."""
    empty = [task for task, metrics in terms.items() if not metrics]
    if not terms or empty:
        raise BenchError(f"Δm needs a metric for every task, and {empty or 'every task'} has none; name one.")
    if twice := [task for task, metrics in terms.items() if len(set(metrics)) < len(metrics)]:
        raise BenchError(f"Δm counts a metric once, and task {twice[0]} names one twice; name each once.")
    total = sum(len(metrics) for metrics in terms.values())
    if definition == "one_per_task" and total > len(terms):
        crowded = next(task for task, metrics in terms.items() if len(metrics) > 1)
        raise BenchError(
            f"The Δm definition one_per_task takes one metric per task, and task {crowded!r} has "
            f"{len(terms[crowded])}; keep one or choose task_mean."
        )
    match definition:
        case "metric_mean":
            return {(task, metric): 1 / total for task, metrics in terms.items() for metric in metrics}
        case "task_mean" | "one_per_task":
            share = 1 / len(terms)
            return {(task, metric): share / len(metrics) for task, metrics in terms.items() for metric in metrics}
    raise BenchError(f"The Δm definition {definition!r} is unknown; choose metric_mean, task_mean or one_per_task.")


def task_means(runs: Mapping[str, Sequence[Mapping[str, float]]], terms: Terms) -> dict[str, dict[str, float]]:
    """Task → metric → mean over the runs of each task, of which there need not be as many for all."""
    return {
        task: {metric: seed_mean([at({task: run}, (task, metric)) for run in runs[task]]) for metric in metrics}
        for task, metrics in terms.items()
    }


def seed_mean(values: Sequence[float]) -> float:
    """Mean over seeds; 0 for one that is zero but for rounding, or too small for anything to be relative to it."""
    mean = fmean(values)
    return 0.0 if abs(mean) < max(LEAST, ROUNDED * min(max(map(abs, values)), 1e300)) else mean


def at(values: Values, term: Term) -> float:
    """The finite value of one term."""
    value = _look_up(values, term)
    if not isfinite(value):
        raise BenchError(f"The value of {term[1]!r} of task {term[0]!r} is {value}; leave diverged runs out of Δm.")
    return value


def _look_up(table: Mapping[str, Mapping[str, _Cell]], term: Term) -> _Cell:
    task, metric = term
    if task not in table:
        raise BenchError(f"Task {task!r} counts in Δm but only {sorted(table)} are there; run it or drop its term.")
    if metric not in table[task]:
        raise BenchError(
            f"Metric {metric!r} of task {task!r} counts in Δm but only {sorted(table[task])} are there; "
            "record it or drop its term."
        )
    return table[task][metric]
