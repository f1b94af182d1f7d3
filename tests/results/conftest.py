"""Records made up for the tests: two tasks, one metric each, accuracy (↑, %) and depth error (↓, m)."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mtl_bench.records import Record
from mtl_bench.records.record import validate
from mtl_bench.results import Board, leaderboard

METRICS = {
    "left": {"accuracy": {"higher_is_better": True, "unit": "%"}},
    "right": {"abs_err": {"higher_is_better": False, "unit": "m"}},
}
Make = Callable[..., Record]
Runs = Callable[..., list[Record]]


@pytest.fixture
def record() -> Make:
    """One valid record; keyword arguments replace whole keys."""

    def make(method: str, left: float | None, right: float | None, seed: int = 0, **changes: Any) -> Record:
        given = {"left": ("accuracy", left), "right": ("abs_err", right)}
        test = {task: {metric: value} for task, (metric, value) in given.items() if value is not None}
        made = {
            "schema": 1,
            "hash": f"{method}-hash",
            "seed": seed,
            "created_by": "0.1.0",
            "experiment": {"name": "digits", "hash": "e1" * 32},
            "method": {"name": method, "label": method.upper()},
            "tasks": list(test),
            "metrics": METRICS,
            "test": test,
            "val": {},
            "evaluations": [],
            "selection": "last",
            "delta_m": {"definition": "metric_mean", "terms": {"left": ["accuracy"], "right": ["abs_err"]}},
            "baselines": {"left": "left-hash", "right": "right-hash"},
            "counts": {"batches": 100, "forwards": 100, "backwards": 100, "passes": 200, "optimizer_steps": 100},
            "failures": {"nonfinite_steps": 0, "solver": 0},
            "converged": True,
            "test_evaluations": 1,
            "config": {},
            "identity": {},
            "environment": {},
            "resumed_elsewhere": False,
            "measured": {
                "seconds": 1.0,
                "seconds_per_step": 0.01,
                "peak_memory_bytes": 1,
                "host": "a",
                "started": "2025-01-01T00:00:00",
                "finished": "2025-01-01T00:00:01",
            },
            **changes,
        }
        validate(made)
        return made  # type: ignore[return-value]

    return make


@pytest.fixture
def runs(record: Make) -> Runs:
    """One record per seed of a method, from its values per seed."""

    def make(method: str, left: Sequence[float], right: Sequence[float], **changes: Any) -> list[Record]:
        return [record(method, a, b, seed=n, **changes) for n, (a, b) in enumerate(zip(left, right, strict=True))]

    return make


@pytest.fixture
def single(record: Make) -> Runs:
    """The single-task runs of both tasks, recorded under a one-task experiment of their own."""

    def make(left: Sequence[float] = (79, 80, 81), right: Sequence[float] = (0.49, 0.50, 0.51)) -> list[Record]:
        alone = {"experiment": {"name": "digits", "hash": "e0" * 32}}
        return [
            *(record("single", v, None, seed=n, hash="left-hash", **alone) for n, v in enumerate(left)),
            *(record("single", None, v, seed=n, hash="right-hash", **alone) for n, v in enumerate(right)),
        ]

    return make


@pytest.fixture
def board(runs: Runs, single: Runs) -> Board:
    """A method that gains, one of which a seed is lost, and the single-task row."""
    lost = runs("mgda", [70, 70, 70], [0.7, 0.7, 0.7])
    lost[2]["converged"] = False
    return leaderboard([*runs("ls", [83.9, 85.0, 86.1], [0.46, 0.45, 0.44]), *lost, *single()])
