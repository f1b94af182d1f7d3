"""How numbers were read off a run: what must be equal before two of them are compared."""

from typing import Any

import pytest

from mtl_bench.records.reading import reading


def config(**reporting: Any) -> dict[str, Any]:
    tasks = {"depth": {"aggregation": "batch_mean"}, "segmentation": {"aggregation": "pooled"}}
    return {"tasks": tasks, "protocol": {"reporting": reporting}}


@pytest.mark.parametrize(
    ("rule", "task", "other", "alike"),
    [
        ("last", "segmentation", {"evaluate_every": 3, "evaluation_batch_size": 8}, True),
        ("last", "depth", {"evaluate_every": 3}, True),
        ("last", "depth", {"evaluation_batch_size": 8}, False),
        ("mean_last_10", "segmentation", {"evaluation_batch_size": 8}, True),
        ("mean_last_10", "segmentation", {"evaluate_every": 3}, False),
        ("best_val(loss)", "segmentation", {"evaluate_every": 3}, False),
        ("best_val(loss)", "segmentation", {"selection": {"higher_is_better": False}}, False),
        ("best_val(loss)", "depth", {"evaluate_every": 1, "evaluation_batch_size": 1000, "selection": {}}, True),
    ],
)
def test_what_matters_to_a_task_under_a_rule(rule: str, task: str, other: dict[str, Any], alike: bool) -> None:
    assert (reading(rule, config(), task) == reading(rule, config(**other), task)) is alike


def test_another_rule_is_another_reading() -> None:
    assert reading("last", config(), "depth") != reading("mean_last_10", config(), "depth")
    assert reading("last", {}, "depth") == {"selection": "last"}
