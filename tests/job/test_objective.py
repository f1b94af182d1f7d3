"""What a sweeper maximises, on records made up: validation only, higher better, and −∞ where nothing was learned."""

from collections.abc import Callable
from math import inf, nan
from typing import Any, cast

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.job.objective import check_objective, score
from mtl_bench.records import Record
from mtl_bench.training.plan import Plan
from mtl_bench.training.selection import BestVal, Last, SelectionRule

METRICS = {
    "a": {"up": {"higher_is_better": True, "unit": ""}},
    "b": {"down": {"higher_is_better": False, "unit": ""}, "up": {"higher_is_better": True, "unit": ""}},
}


GIVEN_UP = {"converged": False, "evaluations": [{"epoch": 1.0}]}


def record(up: float, down: float, **changes: Any) -> Record:
    """Test values are absurd on purpose."""
    made = {
        "hash": "method",
        "seed": 0,
        "method": {"name": "uw", "label": "uw"},
        "tasks": ["a", "b"],
        "metrics": METRICS,
        "val": {"a": {"up": up}, "b": {"down": down, "up": up}},
        "test": {"a": {"up": 1e9}, "b": {"down": 1e9, "up": 1e9}},
        "delta_m": {"definition": "task_mean", "terms": {"a": ["up"], "b": ["down"]}},
        "baselines": {"a": "hash-a", "b": "hash-b"},
        "evaluations": [{"epoch": 2.0}],
        "identity": {"training": {"budget": {"amount": 2}}},
        "counts": {"batches": 10, "passes": 20, "optimizer_steps": 10},
        "failures": {"nonfinite_steps": 0},
        "converged": True,
        **changes,
    }
    return cast(Record, made)


def singles(**changes: Any) -> list[Record]:
    alone = {"method": {"name": "single", "label": "single"}, **changes}
    return [
        record(50.0, 0.0, hash="hash-a", val={"a": {"up": 50.0}}, **alone),
        record(0.0, 2.0, hash="hash-b", val={"b": {"down": 2.0, "up": 1.0}}, **alone),
    ]


def scored(
    run: Record, objective: str | None = None, baselines: list[Record] | None = None, rule: SelectionRule | None = None
) -> float | None:
    return score(run, objective, rule or Last(), lambda: baselines or [])


def test_delta_m_of_validation_comes_first_where_there_are_baselines() -> None:
    """(+20 % + 25 %) / 2."""
    for objective in ("delta_m", None):
        assert scored(record(60.0, 1.5), objective, singles(), BestVal("up")) == pytest.approx(22.5)


def test_then_the_selection_rule_then_the_mean() -> None:
    run = record(60.0, 1.5)
    for some in ([], singles()[:1]):
        assert scored(run, None, some, BestVal("up")) == 60
        assert scored(run, None, some, Last()) == (60 - 1.5) / 2
    assert scored(run, "selection", singles(), BestVal("up")) == 60
    assert scored(run, "mean", singles()) == (60 - 1.5) / 2
    alone = singles()[1]
    terms = {"definition": "task_mean", "terms": {"b": ["down"]}}
    assert scored(alone | {"tasks": ["b"], "delta_m": terms}, None, singles()) == -2  # type: ignore[operator]


@pytest.mark.parametrize(("objective", "value"), [("a.up", 60.0), ("b.down", -1.5), ("b.up", 60.0)])
def test_one_metric(objective: str, value: float) -> None:
    assert scored(record(60.0, 1.5), objective, singles()) == value


def test_a_metric_whose_name_has_a_dot() -> None:
    metrics = {"normal": {"within_11.25": {"higher_is_better": True, "unit": "%"}}}
    run = record(0.0, 0.0, tasks=["normal"], metrics=metrics, val={"normal": {"within_11.25": 30.0}})
    assert scored(run, "normal.within_11.25") == 30


@pytest.mark.parametrize("objective", [None, "delta_m", "mean", "a.up"])
@pytest.mark.parametrize("how", [GIVEN_UP, {"failures": {"nonfinite_steps": 6}}, {"val": None}])
def test_a_run_that_learned_nothing_is_the_worst(objective: str | None, how: dict[str, Any]) -> None:
    spoiled = record(nan, nan) if how == {"val": None} else record(60.0, 1.5, **how)
    assert scored(spoiled, objective, singles()) == -inf


@pytest.mark.parametrize("objective", [None, "delta_m"])
def test_baselines_that_did_not_converge_are_no_reason_to_compare_otherwise(objective: str | None) -> None:
    assert scored(record(60.0, 1.5), objective, singles(**GIVEN_UP)) == -inf


@pytest.mark.parametrize("objective", [None, "delta_m", "mean", "a.up"])
def test_the_test_split_is_not_asked_whether_a_run_learned(objective: str | None) -> None:
    """Its values are no numbers, of the run and of the single-task runs."""
    lost: dict[str, Any] = {"converged": False, "test": {"a": {"up": nan}, "b": {"down": nan, "up": nan}}}
    value = scored(record(60.0, 1.5, **lost), objective, singles(**lost))
    assert value == scored(record(60.0, 1.5), objective, singles())
    assert value != -inf


def test_without_validation_or_baselines() -> None:
    assert scored(record(60.0, 1.5, val={}), None, singles()) is None
    with pytest.raises(BenchError, match="add single_task=true"):
        scored(record(60.0, 1.5), "delta_m")


def test_a_baseline_of_zero_has_no_delta_m() -> None:
    zero = [singles()[0] | {"val": {"a": {"up": 0.0}}}, singles()[1]]
    assert scored(record(60.0, 1.5), None, cast(list[Record], zero)) == (60 - 1.5) / 2
    with pytest.raises(BenchError, match="is zero"):
        scored(record(60.0, 1.5), "delta_m", cast(list[Record], zero))


@pytest.mark.parametrize(
    ("objective", "overrides", "says"),
    [
        ("nothing", [], "one of delta_m, selection, mean, left.accuracy, left.cross_entropy, right.accuracy"),
        (3, [], "got 3"),
        ("mean", ["protocol.training.val=none"], "has no validation split"),
        ("delta_m", ["only=[left]"], "choose objective=mean"),
        ("right.accuracy", ["only=[left]"], "one of delta_m, selection, mean, left.accuracy"),
        ("selection", [], "'last' does not"),
    ],
)
def test_what_cannot_be_had_is_said_before_training(
    objective: Any, overrides: list[str], says: str, compose: Callable[..., Plan]
) -> None:
    with pytest.raises(BenchError, match=says):
        check_objective(objective, compose(*overrides))


@pytest.mark.parametrize("objective", [None, "delta_m", "mean", "left.accuracy", "selection"])
def test_what_can_be_had(objective: str | None, compose: Callable[..., Plan]) -> None:
    best = "protocol.reporting.selection._target_=mtl_bench.training.selection.BestVal"
    check_objective(objective, compose(best))
