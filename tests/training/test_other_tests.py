"""Test splits beside `test` are judged once, by the weights that the record reports."""

from pathlib import Path

import pytest

from mtl_bench.job import compose_plan
from mtl_bench.records.record import validate
from mtl_bench.training.evaluation import evaluate
from tests.runs import ROOMS, begin, train


def test_a_shifted_split_stands_in_the_record(data: Path, tmp_path: Path) -> None:
    plan = compose_plan([*ROOMS, "protocol.training.budget.amount=1"], data)
    left = train(plan, tmp_path)
    weights = left.checkpoint["model"]
    trainer = begin(plan, tmp_path / "again")
    trainer.machine.model.load_state_dict(weights)
    expected = evaluate(trainer.machine.forward, trainer.evaluator.splits["test_shift"], 100)
    assert left.record["other_tests"] == {"test_shift": expected}
    assert expected != left.record["test"]


def test_records_without_such_splits_stay_valid(data: Path, tmp_path: Path) -> None:
    plan = compose_plan([*ROOMS, "protocol.training.budget.amount=1"], data)
    record = dict(train(plan, tmp_path).record) | {"measured": {}}
    del record["other_tests"]
    with pytest.raises(Exception, match=r"measured\.seconds is missing"):  # and of nothing before it
        validate(record)
