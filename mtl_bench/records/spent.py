"""How much of its budget a run spent, and whether it left a score for whoever searches."""

from math import isfinite

from mtl_bench.records.record import Record, has_learned


def spent(record: Record) -> tuple[float, float, str]:
    """What a run with evaluations used of its budget, the budget, and their unit."""
    budget, counts = record["identity"]["training"]["budget"], record["counts"]
    unit = budget.get("unit", "epochs")
    known = {"batches": counts["batches"], "passes": counts["passes"], "optimizer_steps": counts["optimizer_steps"]}
    return record["evaluations"][-1]["epoch"] if unit == "epochs" else known[unit], budget["amount"], unit


def is_spent(record: Record) -> bool:
    """Whether the budget of a run with evaluations is used up: it was not given up before."""
    used, amount, _ = spent(record)
    return used >= amount * (1 - 1e-9)


def has_score(record: Record) -> bool:
    """Whether it was trained to its end and validated in finite numbers. `has_converged` would ask the test split."""
    if not record["evaluations"] or not is_spent(record):  # given up
        return False
    return has_learned(record) and all(isfinite(value) for of in record["val"].values() for value in of.values())
