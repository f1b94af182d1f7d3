"""Which runs spend their passes on the plain sum of the losses, the method that all others are held against."""

import json
from typing import Literal

from mtl_bench.records import Record

ONCE = "mtl_bench.methods.linear_scalarization.LinearScalarization"  # without options
REPEATED = "mtl_bench.methods.repeated.Repeated"  # with any number of steps, and no other option
Spending = Literal["once", "repeated"]  # a step per batch, or several on the same batch


def spending(record: Record) -> Spending | None:
    """None for every other method; what it is called plays no part."""
    method = record["identity"].get("method")
    if not isinstance(method, dict):
        return None
    options = {key for key in method if not key.startswith("_")}
    if method.get("_target_") == ONCE and not options:
        return "once"
    return "repeated" if method.get("_target_") == REPEATED and options <= {"steps"} else None


def all_but_budget(record: Record) -> str | None:
    """Equal for two runs that differ in method and budget alone and whose Δm is taken against the same runs; None
    where a record does not tell.
    """
    identity = record["identity"]
    training = identity.get("training")
    if not isinstance(training, dict):
        return None
    shared = {key: value for key, value in identity.items() if key not in ("method", "training")}
    rest = {key: value for key, value in training.items() if key != "budget"}
    judged = (record["delta_m"], record["baselines"], record["selection"])
    return json.dumps([shared, rest, *judged], sort_keys=True)
