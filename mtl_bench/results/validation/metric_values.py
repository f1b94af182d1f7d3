"""Values of metrics: finite, inside their range, and not better than possible."""

import re
from collections.abc import Mapping
from itertools import pairwise
from math import inf, isfinite

from mtl_bench.records import Record
from mtl_bench.records.record import MetricInfo, has_converged
from mtl_bench.results.validation.fault import Remarks

WITHIN = re.compile(r"within_([\d.]+)")
ABSOLUTE = ("mae", "abs_err")  # mean absolute errors, which a root mean square of the same errors is never below
AREA = "auc"  # under a curve of shares
SIGNED = "nats"  # losses in these may be negative: a density exceeds 1


def check_values(record: Record) -> Remarks:
    """Of the test and the validation split; a run that did not converge may have any."""
    if not has_converged(record):
        return
    for split, values in (("test", record["test"]), ("val", record["val"])):
        for task, metrics in values.items():
            infos = record["metrics"].get(task, {})
            known = {name: value for name, value in metrics.items() if name in infos}
            for name, value in known.items():
                yield from _range(f"{split} {name} of {task}", value, name, infos[name])
            yield from _impossible(f"{split} {task}", known, infos)
    losses = [loss for one in record["evaluations"] for loss in one["train"].values()]
    if not all(map(isfinite, losses)):
        yield False, "a training loss is not finite, though the run converged"
    if len([value for metrics in record["test"].values() for value in metrics.values()]) > 1:
        if record["test"] == record["val"]:
            yield True, "its test values are its validation values, to the last digit"
        if all(_perfect(record, task, name) for task, metrics in record["test"].items() for name in metrics):
            yield False, "every test value is perfect, so either the task is none or labels leaked"


def _range(what: str, value: float, name: str, info: MetricInfo) -> Remarks:
    low, high = -inf, inf
    if not info["higher_is_better"] and info["unit"] != SIGNED:
        low = 0.0
    if info["unit"] == "°":
        low, high = 0.0, 180.0
    if info["unit"] == "%" and info["higher_is_better"]:  # an error may exceed 100 % of what it is relative to
        low, high = 0.0, 100.0
    if name == AREA:
        low, high = 0.0, 1.0
    if not isfinite(value):
        yield True, f"{what} is {value}, though the run converged"
    elif not low <= value <= high:
        told = f"{value:g} {info['unit']}".strip()
        yield True, f"{what} is {told}, outside {low:g} to {high:g}"


def _impossible(what: str, metrics: Mapping[str, float], infos: Mapping[str, MetricInfo]) -> Remarks:
    shares = sorted((float(match[1]), value) for name, value in metrics.items() if (match := WITHIN.fullmatch(name)))
    if any(wider < narrower for (_, narrower), (_, wider) in pairwise(shares)):
        yield True, f"{what}: fewer lie within a wide angle than within a narrow one"
    for name in ABSOLUTE:
        same = name in metrics and "rmse" in metrics and infos[name]["unit"] == infos["rmse"]["unit"]
        if same and metrics["rmse"] < metrics[name] * (1 - 1e-6):
            yield True, f"{what}: rmse is below {name}, which no set of errors gives"


def _perfect(record: Record, task: str, name: str) -> bool:
    info, value = record["metrics"].get(task, {}).get(name), record["test"][task][name]
    if info is None:  # a fault of its own
        return False
    return value == (100 if info["unit"] == "%" else 1) if info["higher_is_better"] else value == 0
