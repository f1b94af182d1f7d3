from typing import Any

import pytest

HASH = "0123456789abcdef" * 4


@pytest.fixture
def record() -> dict[str, Any]:
    """A complete record of a run with two tasks."""
    accuracy = {"left": {"accuracy": 0.9}, "right": {"accuracy": 1}}
    return {
        "schema": 1,
        "hash": HASH,
        "seed": 3,
        "created_by": "0.1.0",
        "experiment": {"name": "digits", "hash": HASH},
        "method": {"name": "pcgrad", "label": "PCGrad"},
        "tasks": ["left", "right"],
        "metrics": {task: {"accuracy": {"higher_is_better": True, "unit": "%"}} for task in accuracy},
        "test": accuracy,
        "val": {},
        "evaluations": [
            {"batch": 10, "epoch": 0.5, "train": {"left": 2.1, "right": 2.2}, "val": accuracy, "test": None},
            {"batch": 20, "epoch": 1, "train": {"left": 1.1, "right": 1.2}, "val": accuracy, "test": accuracy},
        ],
        "selection": "last",
        "delta_m": {"definition": "metric_mean", "terms": {"left": ["accuracy"], "right": ["accuracy"]}},
        "baselines": {"left": "a" * 64, "right": "b" * 64},
        "counts": {"batches": 20, "forwards": 20, "backwards": 40, "passes": 60, "optimizer_steps": 20},
        "failures": {"nonfinite_steps": 0, "solver": 0},
        "converged": True,
        "test_evaluations": 1,
        "config": {"seed": 3, "method": {"_target_": "x.Y", "betas": [0.9, 0.999]}},
        "identity": {"method": {"_target_": "x.Y"}},
        "environment": {"torch": "2.6.0", "threads": 1},
        "resumed_elsewhere": False,
        "measured": {
            "seconds": 12.5,
            "seconds_per_step": 0.6,
            "peak_memory_bytes": 1000,
            "host": "here",
            "started": "2025-01-01T00:00:00+00:00",
            "finished": "2025-01-01T00:00:12+00:00",
        },
    }
