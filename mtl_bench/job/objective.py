"""What a sweeper maximises: one validation number of a run, higher better. The test split is never asked."""

from collections.abc import Callable, Iterator, Sequence
from math import inf, isfinite
from statistics import fmean
from typing import Any

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.record import SINGLE
from mtl_bench.records.spent import has_score
from mtl_bench.results.baselines import delta_m_of, single_task_means
from mtl_bench.training.plan import Plan
from mtl_bench.training.selection import SelectionRule

NAMES = ("delta_m", "selection", "mean")


def check_objective(objective: Any, plan: Plan) -> None:
    """Raises BenchError, before anything is trained, for a score that this run cannot have."""
    if objective is None:
        return
    metrics = [f"{name}.{metric.name}" for name, task in plan.tasks.items() for metric in task.metrics]
    if objective not in (*NAMES, *metrics):
        raise BenchError(f"objective is null or one of {', '.join((*NAMES, *metrics))}; got {objective!r}.")
    if plan.training.val == "none" or not plan.packed.manifest.splits.get("val"):
        raise BenchError(f"objective={objective} is a validation score, and this protocol has no validation split.")
    if objective == "delta_m" and plan.single:
        raise BenchError("objective=delta_m compares with single-task runs, and this is one; choose objective=mean.")
    zeros = {name: {metric.name: 0.0 for metric in task.metrics} for name, task in plan.tasks.items()}
    if objective == "selection" and plan.reporting.selection.scalar(zeros) is None:
        raise BenchError(
            f"objective=selection needs a rule that scores validation, and {plan.reporting.selection.name!r} does not; "
            "choose BestVal or another objective."
        )


def score(
    record: Record, objective: str | None, rule: SelectionRule, baselines: Callable[[], Sequence[Record]]
) -> float | None:
    """The validation score that `objective` names, at the weights (or the mean over evaluations) that are reported.

    `delta_m`: Δm in percent against the mean validation values of the single-task runs. `selection`: the scalar of the
    selection rule. `mean`: the metrics that count in Δm, averaged inside each task and then over tasks, those that are
    better low with a minus. `TASK.METRIC`: that one, likewise. None: the first of delta_m, selection and mean that
    there is; since that may change when baselines are trained, a long search should name one.

    −∞ for a run without a score (`has_score`), and for Δm against one, so that a sweeper looks on elsewhere; None when
    nothing was named and there is no validation split. Raises BenchError when `delta_m` was named and has nothing to
    compare with.
    """
    if not has_score(record):
        return -inf
    if not record["val"]:
        return None
    found: float | None
    if objective is None:
        found = _first(record, rule, baselines)
    elif objective == "delta_m":
        found = _delta_m(record, baselines())
        if found is None:
            raise BenchError("objective=delta_m needs the single-task baselines; add single_task=true.")
    elif objective == "selection":
        found = rule.scalar(record["val"])
    elif objective == "mean":
        found = _mean(record)
    else:
        found = next(_signed(record, *pair) for pair in _pairs(record) if ".".join(pair) == objective)
    return found if found is not None and isfinite(found) else -inf


def _first(record: Record, rule: SelectionRule, baselines: Callable[[], Sequence[Record]]) -> float:
    try:
        found = None if record["method"]["name"] == SINGLE else _delta_m(record, baselines())
    except BenchError:  # a baseline of zero: there is no relative change
        found = None
    scalar = rule.scalar(record["val"]) if found is None else found
    return _mean(record) if scalar is None else scalar


def _delta_m(record: Record, baselines: Sequence[Record]) -> float | None:
    means, setting = single_task_means(record, baselines, "val"), record["delta_m"]
    if len(means) < len(record["baselines"]):
        trained = {one["hash"] for one in baselines}
        return -inf if trained.issuperset(record["baselines"].values()) else None
    judged = [record["val"][task][metric] for task, metrics in setting["terms"].items() for metric in metrics]
    if not all(map(isfinite, judged)):
        return -inf
    return delta_m_of(record, means, "val")


def _mean(record: Record) -> float:
    terms = record["delta_m"]["terms"]
    return fmean(fmean(_signed(record, task, metric) for metric in metrics) for task, metrics in terms.items())


def _pairs(record: Record) -> Iterator[tuple[str, str]]:
    """Task and metric, whose names may have dots."""
    return ((task, metric) for task, metrics in record["metrics"].items() for metric in metrics)


def _signed(record: Record, task: str, metric: str) -> float:
    value = record["val"][task][metric]
    return value if record["metrics"][task][metric]["higher_is_better"] else -value
