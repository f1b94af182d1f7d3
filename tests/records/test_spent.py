"""Which runs have a score for whoever searches: what the test split says is not asked."""

from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.records.record import find_records, has_converged
from mtl_bench.records.spent import has_score

ROW = Path(__file__).parents[2] / "results/reference/multimnist/ls"


def lost_on(split: str, metric: str = "accuracy") -> Callable[[Any], None]:
    def change(record: Any) -> None:
        record[split]["left"][metric] = nan
        record["converged"] = split != "test"

    return change


def given_up(record: Any) -> None:
    """At the end of an epoch, after its evaluation."""
    record |= {"converged": False, "evaluations": record["evaluations"][:-1]}
    record["counts"]["batches"] = record["evaluations"][-1]["batch"]


def skipped(record: Any) -> None:
    record["failures"]["nonfinite_steps"] = record["counts"]["optimizer_steps"]


@pytest.mark.parametrize(
    ("change", "scored"),
    [
        (lambda record: None, True),
        (lost_on("test"), True),
        (lost_on("val"), False),
        (lost_on("val", "cross_entropy"), False),  # which no Δm counts
        (given_up, False),
        (lambda record: record["evaluations"].clear(), False),
        (skipped, False),
    ],
)
def test_a_score_rests_on_training_and_validation_alone(change: Callable[[Any], Any], scored: bool) -> None:
    record = find_records([ROW])[0]
    assert has_converged(record)
    change(record)
    assert has_score(record) is scored
