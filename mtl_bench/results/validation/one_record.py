"""What a record says of itself must fit together; nothing is compared with other records here."""

import re
from itertools import takewhile
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

from mtl_bench.records import Record
from mtl_bench.records.identity import canonical_hash
from mtl_bench.records.record import has_converged
from mtl_bench.records.spent import is_spent, spent
from mtl_bench.results.validation.fault import Remarks

ONCE = ("last", "best_val")  # selection rules that look at the test split once, at the end
NEEDED = ("identity.content", "identity.training.budget.amount", "identity.method", "config.protocol.training")
MEAN_LAST, BEST_VAL = re.compile(r"mean_last_(\d+)"), re.compile(r"best_val\((.+)\)")
UNITS = ("epochs", "batches", "passes", "optimizer_steps")  # of a budget


def check_record(record: Record, path: Path) -> Remarks:
    """Everything but its values, for which there is `check_values`."""
    yield from _names(record, path)
    parts = list(_parts(record))
    yield from parts
    if lacking := [place for place in NEEDED if not _holds(record, place)]:
        yield True, f"does not hold {lacking[0]}"
        return
    budget = record["identity"]["training"]["budget"]
    if budget.get("unit", "epochs") not in UNITS or not isinstance(budget["amount"], int | float):
        yield True, f"its budget is none: {budget['amount']!r} {budget.get('unit', 'epochs')}"
        return
    if record["counts"]["batches"] < 1:
        yield True, "counts no batch"
    if parts or record["counts"]["batches"] < 1:  # nothing that follows can be asked of what is not there
        return
    if not has_converged(record):
        yield False, "did not converge; boards rank its row last"
    if not record["evaluations"]:  # as when it was given up before the first
        if has_converged(record):
            yield True, "holds no evaluation"
        return
    yield from _evaluations(record)
    yield from _selected(record)
    yield from _budget(record)
    yield from _counts(record)
    yield from _circumstances(record)


def _holds(record: Record, place: str) -> bool:
    node: Any = record
    for key in place.split("."):
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


def _names(record: Record, path: Path) -> Remarks:
    if canonical_hash(record["identity"]) != record["hash"]:
        yield True, "its hash is not that of its identity, so one of them was edited; train it again"
    wanted = (record["experiment"]["name"], record["method"]["name"], record["hash"][:12], f"seed-{record['seed']}")
    if path.parts[-5:-1] != wanted:
        yield True, f"belongs into {'/'.join(wanted)}, which is what it says of itself"
    if record["config"].get("seed") != record["seed"] or record["config"].get("only") != record["tasks"]:
        yield True, "its configuration has another seed or other tasks than the record"


def _parts(record: Record) -> Remarks:
    """Every value belongs to a metric that is described, and every metric has one."""
    described = {task: set(metrics) for task, metrics in record["metrics"].items()}
    sets = {"test": record["test"], **({"val": record["val"]} if record["val"] else {})}
    if list(described) != record["tasks"]:
        yield True, "metrics are not those of its tasks"
    for split, values in sets.items():
        if {task: set(metrics) for task, metrics in values.items()} != described:
            yield True, f"{split} values are not those of its metrics"
    for task, terms in record["delta_m"]["terms"].items():
        if unknown := set(terms) - described.get(task, set()):
            yield True, f"Δm counts {sorted(unknown)[0]} of {task}, which was not measured"
    if set(record["baselines"]) != set(record["delta_m"]["terms"]):
        yield True, "the tasks that count in Δm are not those that have a single-task run"


def _evaluations(record: Record) -> Remarks:
    found = record["evaluations"]
    batches = [one["batch"] for one in found]
    ends = batches[-1] == record["counts"]["batches"] or not has_converged(record)
    if batches != sorted(set(batches)) or not ends:
        yield True, "its evaluations do not lead up to the last batch"
    lengths = [one["batch"] / one["epoch"] for one in found if one["epoch"]]
    if lengths and max(lengths) > 1.001 * min(lengths):
        yield True, "batches and epochs of its evaluations do not agree"
    if any(set(one["train"]) != set(record["tasks"]) for one in found):
        yield True, "an evaluation has no training loss of one of its tasks"


def _selected(record: Record) -> Remarks:
    """The test split was looked at as often as the rule needs, and what is reported stands in the evaluations."""
    tests = [one["test"] for one in record["evaluations"] if one["test"] is not None]
    rule, looks = record["selection"], record["test_evaluations"]
    if looks != max(1, len(tests)):
        yield True, f"says that test was evaluated {looks} times and holds {len(tests)} such evaluations"
    if averaged := MEAN_LAST.fullmatch(rule):
        yield from _averaged(record, min(int(averaged[1]), len(record["evaluations"])))
        return
    if looks > 1:
        yield rule.startswith(ONCE), f"test was evaluated {looks} times, where {rule!r} needs 1"
    last, reported = record["evaluations"][-1], (record["test"], record["val"])
    if rule == "last" and has_converged(record) and reported != (last["test"], last["val"]):
        yield True, "its values are not those of the last evaluation"
    if rule.startswith("best_val") and has_converged(record):
        if reported not in [(one["test"], one["val"]) for one in record["evaluations"]]:
            yield True, "its values are those of no evaluation"
        elif (best := BEST_VAL.fullmatch(rule)) and record["val"] != _best(record, best[1]):
            yield True, f"its evaluation is not the one with the best validation {best[1]}"


def _averaged(record: Record, needed: int) -> Remarks:
    """The last evaluations have test values. Where batches cost unlike, how many were to come was a guess: there may be
    twice as many, as training looks early rather than late, or fewer."""
    tests = [one["test"] for one in record["evaluations"]]
    looks = sum(test is not None for test in tests)
    last = [test for test in takewhile(lambda one: one is not None, reversed(tests)) if test is not None][:needed]
    known = record["identity"]["training"]["budget"].get("unit", "epochs") in ("epochs", "batches")
    if looks and not last and has_converged(record):
        yield True, "test was not evaluated at its last evaluations, of which it is the mean"
    elif len(last) < needed and has_converged(record):
        yield known, f"test was evaluated {looks} times, where {record['selection']!r} needs {needed}"
    vals = [one["val"] for one in record["evaluations"][-len(last) :]] if last else []
    reported = ("test", record["test"], last), ("val", record["val"], vals)
    unlike = [split for split, values, found in reported if found and not _is_mean(values, found)]
    if unlike:
        yield True, f"its {unlike[0]} values are not the mean of the last {len(last)} evaluations"
    elif looks > (needed if known else 2 * needed):
        yield known, f"test was evaluated {looks} times, where {record['selection']!r} needs {needed}"


def _best(record: Record, metric: str) -> dict[str, dict[str, float]] | None:
    """Validation values of the first evaluation with the best mean of this metric; what has none is never the best."""
    higher = all(metrics[metric]["higher_is_better"] for metrics in record["metrics"].values() if metric in metrics)

    def score(val: dict[str, dict[str, float]]) -> float:
        mean = sum(values.get(metric, nan) for values in val.values()) / len(val) if val else nan
        return -inf if isnan(mean) else mean if higher else -mean

    return max((one["val"] for one in record["evaluations"]), key=lambda val: score(val or {}))


def _is_mean(values: dict[str, dict[str, float]], found: list[dict[str, dict[str, float]]]) -> bool:
    if any(
        {task: of.keys() for task, of in one.items()} != {task: of.keys() for task, of in values.items()}
        for one in found
    ):
        return False
    means = {(t, name): sum(one[t][name] for one in found) / len(found) for t, of in values.items() for name in of}
    return all(not abs(values[t][name] - mean) > 1e-9 * max(1, abs(mean)) for (t, name), mean in means.items())


def _budget(record: Record) -> Remarks:
    used, amount, unit = spent(record)
    counts = record["counts"]
    tasks = len(record["tasks"])
    # It stops after the batch that reaches it, which may cost more than most; the dearest looks ahead from each of K
    # separate paths: K forwards, K backwards and K² forwards.
    dearest = tasks * (tasks + 2) if unit == "passes" else 0
    most = amount + max(3 * used / max(1, counts["batches"]), dearest)
    if used > most or (record["converged"] and not is_spent(record)):
        yield True, f"trained for {used:g} {unit}, and its budget is {amount:g}"


def _counts(record: Record) -> Remarks:
    counts, skipped = record["counts"], record["failures"]["nonfinite_steps"]
    # A batch costs a forward and a backward at least, and a pass is one of these, or a part of one.
    if not counts["batches"] < counts["passes"] <= counts["forwards"] + counts["backwards"] + 1e-6:
        yield True, "its passes are not between one per batch and one per forward or backward"
    if min(counts["backwards"], counts["optimizer_steps"]) < 1 or skipped > counts["optimizer_steps"]:
        yield True, "its counts are not those of a training"


def _circumstances(record: Record) -> Remarks:
    versions = record["environment"].get("versions", {})
    for name in ("mtl_bench", "python", "torch"):
        if name not in versions:
            yield True, f"does not say which version of {name} trained it"
    if not re.fullmatch(r"\d+(\.\d+)+", record["created_by"]):
        yield False, f"was made by version {record['created_by']}, which nobody can install"
    measured = record["measured"]
    if abs(measured["seconds"] - measured["seconds_per_step"] * record["counts"]["batches"]) > 0.01 + 1e-3 * abs(
        measured["seconds"]
    ):
        yield True, "its seconds are not those per step times its batches"
    if record["resumed_elsewhere"]:
        yield False, "went on from a checkpoint of another environment"
