import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.methods import Method
from mtl_bench.methods.interface import Step
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import Outcome, run_cell
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.plan import Plan
from mtl_bench.training.selection import BestVal, Last, MeanLastK, Metrics, SelectionRule, mean_metrics
from mtl_bench.training.trainer import Options
from tests.runs import PER_EPOCH, Compose, begin, train, vary

SELECTION = "mtl_bench.training.selection"


def metrics(left: float, right: float, name: str = "accuracy") -> Metrics:
    return {"left": {name: left}, "right": {name: right}}


def kept(rule: SelectionRule, validations: list[Metrics]) -> int:
    """Index of the evaluation whose weights are kept in the end; -1 for none."""
    chosen = -1
    for i, val in enumerate(validations):
        if rule.keeps(val, validations[:i]):
            chosen = i
    return chosen


@pytest.mark.parametrize("rule", [Last(), MeanLastK(2)])
def test_only_best_val_keeps_weights(rule: SelectionRule) -> None:
    assert kept(rule, [metrics(1, 1), metrics(2, 2)]) == -1


@pytest.mark.parametrize(
    ("values", "better", "expected"),
    [
        ([(1, 5), (4, 4), (2, 5)], True, 1),  # the mean over tasks decides
        ([(4, 4), (3, 5), (4, 4)], True, 0),  # earlier wins ties
        ([(4, 4), (1, 1), (2, 2)], False, 1),
        ([(math.nan, 9), (1, 1), (math.nan, 9)], True, 1),  # a diverged evaluation is never the best
        ([(math.nan, 9), (1, 1)], False, 1),
        ([(math.nan, 1), (1, math.nan)], True, 0),  # unless there is no other
        ([(-3, -3), (-1, -1)], True, 1),
    ],
)
def test_best_val_keeps_the_best_mean(values: list[tuple[float, float]], better: bool, expected: int) -> None:
    assert kept(BestVal(higher_is_better=better), [metrics(*pair) for pair in values]) == expected


@pytest.mark.parametrize("val", [{}, metrics(1, 1, "mae"), {**metrics(1, 1), "left": {"mae": 1.0}}])
def test_best_val_needs_its_metric_in_every_task(val: Metrics) -> None:
    with pytest.raises(BenchError, match="needs a validation split and the metric 'accuracy' in every task"):
        BestVal().keeps(val, [])


def test_when_the_test_split_is_looked_at() -> None:
    remaining = [4, 3, 2, 1, 0]
    assert [Last().tests(n) for n in remaining] == [False, False, False, False, True]
    assert [MeanLastK(2).tests(n) for n in remaining] == [False, False, False, True, True]
    assert not any(BestVal().tests(n) for n in remaining)


def test_names_tell_rules_apart() -> None:
    assert [rule.name for rule in (Last(), BestVal("mae", False), MeanLastK(3))] == [
        "last",
        "best_val(mae)",
        "mean_last_3",
    ]


def test_mean_metrics() -> None:
    assert mean_metrics([metrics(1, 2), metrics(3, 6), metrics(2, 1)]) == metrics(2, 3)


def selecting(plan: Plan, data: Path, rule: dict[str, Any], every: int = 1, **budget: Any) -> Plan:
    training, reporting = plan.setting.training, plan.setting.reporting
    protocol = {
        "training": {**training, "budget": {**training["budget"], **budget}},
        "reporting": {**reporting, "selection": rule, "evaluate_every": every},
    }
    return vary(plan, data, {"protocol": protocol})


@pytest.mark.parametrize(
    ("amount", "unit", "every", "evaluations", "k"),
    [
        (3, "epochs", 1, 3, 1),
        (3, "epochs", 1, 3, 2),
        (3, "epochs", 1, 3, 9),  # all there are
        (3.3, "epochs", 2, 2, 1),
        (2.2, "epochs", 1, 3, 2),
        (17, "batches", 1, 3, 2),
    ],
)
def test_mean_last_k_is_the_mean_of_the_last_k(
    amount: float, unit: str, every: int, evaluations: int, k: int, compose: Compose, data: Path, tmp_path: Path
) -> None:
    """The test split is looked at in the last k evaluations and in no other, however the budget ends."""
    rule = {"_target_": f"{SELECTION}.MeanLastK", "k": k}
    record = train(selecting(compose(), data, rule, every, amount=amount, unit=unit), tmp_path).record
    tested = [evaluation["test"] for evaluation in record["evaluations"]]
    assert len(tested) == evaluations
    chosen = [test for test in tested[-k:] if test is not None]
    assert len(chosen) == min(k, evaluations) == record["test_evaluations"]
    assert tested[:-k] == [None] * len(tested[:-k])
    assert record["test"] == mean_metrics(chosen)
    assert record["val"] == mean_metrics([evaluation["val"] for evaluation in record["evaluations"][-k:]])
    assert record["selection"] == f"mean_last_{k}"


@dataclass(kw_only=True, eq=False)
class Unlike(Method):
    """`before` optimizer steps on every batch of its first epochs, then `after`."""

    natural_sum: ClassVar[None] = None
    before: int
    epochs: int
    after: int

    def update(self, step: Step) -> None:
        for _ in range(self.before if step.epoch < self.epochs else self.after):
            losses = step.losses()
            step.backward(losses, torch.ones(len(losses.tasks)))
            step.apply()


@pytest.mark.parametrize(
    ("costs", "epochs", "evaluations", "tests", "averaged"),
    [
        ((1, 1, 1), 7, 7, 5, 3),  # two more, in case
        ((3, 1, 1), 7, 5, 5, 3),  # the end comes later than the first epoch says
        ((1, 3, 2), 7, 5, 3, 3),  # sooner
        ((1, 3, 3), 9, 5, 2, 2),  # too soon
    ],
)
def test_mean_last_k_counts_where_batches_cost_unlike(
    costs: tuple[int, int, int],
    epochs: int,
    evaluations: int,
    tests: int,
    averaged: int,
    compose: Compose,
    data: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """More evaluations are tested, and the last three reported; what is missing is told."""
    rule = {"_target_": f"{SELECTION}.MeanLastK", "k": 3}
    arguments = [f"+method.{name}={cost}" for name, cost in zip(("before", "epochs", "after"), costs, strict=True)]
    method = compose(f"method._target_={__name__}.Unlike", *arguments)
    plan = selecting(method, data, rule, amount=epochs * PER_EPOCH, unit="optimizer_steps")
    record = train(plan, tmp_path).record
    tested = [evaluation["test"] for evaluation in record["evaluations"] if evaluation["test"] is not None]
    assert (len(record["evaluations"]), len(tested)) == (evaluations, tests)
    assert record["test"] == mean_metrics(tested[-averaged:])
    assert record["val"] == mean_metrics([evaluation["val"] for evaluation in record["evaluations"][-averaged:]])
    assert ("Selection mean_last_3 is the mean of the last 2 evaluations alone" in caplog.text) is (averaged < 3)


@dataclass(kw_only=True, eq=False)
class Stepless(Method):
    """Looks at losses alone."""

    natural_sum: ClassVar[None] = None

    def update(self, step: Step) -> None:
        step.losses(grad=False)


def test_an_epoch_without_a_step_ends_a_budget_of_steps(compose: Compose, data: Path, tmp_path: Path) -> None:
    last = {"_target_": f"{SELECTION}.Last"}
    plan = selecting(compose(f"method._target_={__name__}.Stepless"), data, last, amount=7, unit="optimizer_steps")
    with pytest.raises(BenchError, match=r"learned nothing: .* within an epoch, or no training sample has a label"):
        train(plan, tmp_path)


def test_last_is_the_end_of_the_budget(compose: Compose, tmp_path: Path) -> None:
    left = train(compose(), tmp_path)
    first, last = left.record["evaluations"]
    assert (first["test"], first["batch"]) == (None, PER_EPOCH)
    assert left.record["test"] == last["test"]
    assert left.record["val"] == last["val"]
    assert left.record["test"] == measured(compose(), left.checkpoint["model"], tmp_path)


class WorstVal(BestVal):
    """Keeps the worst accuracy, so that the kept weights are not the last ones."""

    def keeps(self, val: Metrics, earlier: list[Metrics]) -> bool:
        return all(self.scalar(val) < self.scalar(former) for former in earlier)


def test_best_val_reports_the_weights_it_kept(compose: Compose, data: Path, tmp_path: Path) -> None:
    plan = selecting(compose(), data, {"_target_": f"{__name__}.WorstVal"}, amount=4)
    left = train(plan, tmp_path)
    evaluations = left.record["evaluations"]
    worst = min(range(4), key=lambda i: sum(found["accuracy"] for found in evaluations[i]["val"].values()))
    assert worst < 3
    assert left.record["val"] == evaluations[worst]["val"]
    assert left.record["test"] == evaluations[worst]["test"]
    assert left.record["test_evaluations"] == 1
    kept_weights = left.checkpoint["state"]["kept"]
    assert left.record["test"] == measured(plan, kept_weights, tmp_path)
    assert any(not torch.equal(kept_weights[name], value) for name, value in left.checkpoint["model"].items())


def measured(plan: Plan, weights: dict[str, torch.Tensor], tmp_path: Path) -> Metrics:
    """Test metrics of weights in a fresh model."""
    trainer = begin(plan, tmp_path / "anew")
    trainer.machine.model.load_state_dict(weights)
    return trainer.evaluator.metrics("test")


def test_best_val_without_a_validation_split_does_not_start(compose: Compose, data: Path) -> None:
    plan = compose("++protocol.training.val=none")
    with pytest.raises(BenchError, match="needs a validation split"):
        selecting(plan, data, {"_target_": f"{SELECTION}.BestVal"})


@pytest.mark.parametrize(("metric", "better"), [("accuracy", False), ("cross_entropy", True)])
def test_the_worst_evaluation_is_not_selected(metric: str, better: bool, compose: Compose, data: Path) -> None:
    rule = {"_target_": f"{SELECTION}.BestVal", "metric": metric, "higher_is_better": better}
    with pytest.raises(BenchError, match=rf"best_val\({metric}\) would report the worst evaluation of task left; turn"):
        selecting(compose(), data, rule)
    selecting(compose(), data, {**rule, "higher_is_better": not better})


class NothingIsANumber(BestVal):
    def scalar(self, val: Metrics) -> float:
        return super().scalar({task: dict.fromkeys(values, math.nan) for task, values in val.items()})


def test_validations_that_are_no_numbers_are_told(
    compose: Compose, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = train(selecting(compose(), data, {"_target_": f"{__name__}.NothingIsANumber"}), tmp_path).record
    assert record["val"] == record["evaluations"][0]["val"]
    assert "Selection best_val(accuracy) saw no validation that is a number; the first one is reported." in caplog.text


def test_a_single_task_run_serves_those_that_read_it_alike(compose: Compose, data: Path, tmp_path: Path) -> None:
    """How often one looks is nothing to the last weights, and all to a mean over evaluations."""

    def found(rule: dict[str, Any], every: int) -> Outcome:
        plan = selecting(compose("only=[left]"), data, rule, every)
        return run_cell(plan, Place(tmp_path / rule["_target_"], device="cpu"), Options(progress=False), NoLogger())

    last, mean = {"_target_": f"{SELECTION}.Last"}, {"_target_": f"{SELECTION}.MeanLastK"}
    assert [found(last, 1).skipped, found(last, 2).skipped] == [False, True]
    assert [found(mean, 1).skipped, found(mean, 1).skipped] == [False, True]
    with pytest.raises(BenchError, match=r"finished under another .* \(selection 'mean_last_10', evaluate_every 1, "):
        found(mean, 2)


def test_a_single_task_run_passes_over_namesakes_that_were_read_otherwise(
    compose: Compose, data: Path, tmp_path: Path
) -> None:
    """Only what lies in its own folder is in its way."""

    def found(rule: str, experiment: str) -> Outcome:
        plan = selecting(compose("only=[left]"), data, {"_target_": f"{SELECTION}.{rule}"})
        plan = replace(plan, names=replace(plan.names, experiment=experiment))
        return run_cell(plan, Place(tmp_path, device="cpu"), Options(progress=False), NoLogger())

    found("MeanLastK", "first")
    own = found("Last", "second")
    assert not own.skipped
    assert own.record["selection"] == "last"
    again = found("Last", "third")  # behind the other one
    assert (again.skipped, again.folder.experiment) == (True, "second")
