"""Losses and gradients that are not finite: skipped, counted, reported, and in the end given up."""

import json
import math
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl_bench.cli import main
from mtl_bench.errors import BenchError
from mtl_bench.records.record import load_record
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import run_cell
from mtl_bench.training.interrupts import Interrupted
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.plan import Plan
from mtl_bench.training.trainer import Diverged, Options
from tests.runs import (
    METHODS,
    PER_EPOCH,
    REQUIRED,
    Compose,
    Left,
    StopAt,
    assert_same,
    begin,
    differing,
    read,
    read_checkpoint,
    train,
    vary,
)
from tests.training.poison import Poison

# Methods that ask for the losses of a batch several times: the poison counts questions. The contract of methods spoils
# whole batches of theirs.
SEVERAL = (
    "cso",
    "learned_priority",
    "round_robin",
    "ls_repeated",
    "random_groups",
    "sdmgrad",
    "stgu",
    "stgu_causal",
    "tag",
)
TWICE = ("learned_priority", "sdmgrad")  # or three times for one step
ONE_STEP = [method for method in METHODS if method not in TWICE]
FOREVER = set(range(1, 10_000))


@pytest.fixture
def poisoned(compose: Compose, data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    """A plan whose left task fails at chosen batches (from 1)."""

    def make(bad: set[int], method: str = "ls", how: str = "nan", *overrides: str) -> Plan:
        for name, value in {"bad": bad, "how": how, "calls": 0}.items():
            monkeypatch.setattr(Poison, name, value)
        plan = compose(f"method={method}", *REQUIRED.get(method, []), *overrides)
        left = {**plan.setting.tasks["left"], "_target_": "tests.training.poison.Poison"}
        return vary(plan, data, {"tasks": {"left": left}})

    return make


def run(plan: Plan, runs: Path, **options: Any) -> Left:
    outcome = run_cell(plan, Place(runs, device="cpu"), Options(**{"progress": False, **options}), NoLogger())
    return read(plan, runs, outcome.record)


def give_up(plan: Plan, runs: Path, **options: Any) -> tuple[str, Left]:
    """The sentence, and what lies on disk after it."""
    with pytest.raises(Diverged) as refusal:
        run_cell(plan, Place(runs, device="cpu"), Options(**{"progress": False, **options}), NoLogger())
    return str(refusal.value), read(plan, runs, load_record(plan.folder(runs).record))


@pytest.mark.parametrize(
    ("method", "how"),
    [*((method, "nan") for method in ONE_STEP), *product(("ls", "famo", "pcgrad", "graddrop"), ("inf", "gradient"))],
)
def test_a_few_bad_batches_are_skipped_and_counted(
    method: str, how: str, poisoned: Callable[..., Plan], tmp_path: Path
) -> None:
    left = run(poisoned({1, 5, 6, 14}, method, how), tmp_path)
    assert left.record["failures"]["nonfinite_steps"] == 4
    assert left.record["converged"]
    assert left.record["counts"]["batches"] == 2 * PER_EPOCH
    assert all(value.isfinite().all() for value in left.checkpoint["model"].values())
    values = [v for e in left.record["evaluations"] for v in [*e["train"].values(), *e["val"]["left"].values()]]
    assert all(math.isfinite(value) for value in values)
    first, last = left.record["evaluations"]
    assert last["train"]["left"] < first["train"]["left"]  # it went on learning


@pytest.mark.parametrize(("bad", "converged"), [(7, True), (8, False)])
def test_a_run_most_of_whose_steps_were_skipped_has_not_converged(
    bad: int, converged: bool, poisoned: Callable[..., Plan], tmp_path: Path
) -> None:
    """Never so many in a row that it is given up, and the last step is sound."""
    left = run(poisoned(set(range(1, bad + 1))), tmp_path)
    assert left.record["failures"]["nonfinite_steps"] == bad
    assert left.record["counts"]["optimizer_steps"] == 14
    assert left.record["converged"] is converged


@pytest.mark.parametrize("method", [method for method in METHODS if method not in SEVERAL])
def test_a_bad_batch_moves_neither_weights_nor_states(
    method: str, poisoned: Callable[..., Plan], tmp_path: Path
) -> None:
    plan = poisoned({4}, method)
    before, after = (_stop(plan, batch, tmp_path) for batch in (3, 4))
    for name in ("model", "method"):
        assert differing(before[name], after[name]) == []
    assert differing(before["optimizer"]["state"], after["optimizer"]["state"]) == []
    assert (before["nonfinite"].tolist(), after["nonfinite"].tolist()) == ([0, 0], [1, 1])


def _stop(plan: Plan, batch: int, runs: Path) -> dict[str, Any]:
    with pytest.raises(Interrupted):
        run_cell(plan, Place(runs, device="cpu"), Options(progress=False, log_every=1), StopAt(batch))
    return read_checkpoint(plan, runs)


@pytest.mark.parametrize("optimizer", ["torch.optim.RMSprop", "torch.optim.SGD"])
def test_other_optimizers_skip_as_well(optimizer: str, poisoned: Callable[..., Plan], tmp_path: Path) -> None:
    plan = poisoned({3, 9}, "ls", "nan", f"protocol.training.optimizer._target_={optimizer}")
    left = run(plan, tmp_path)
    assert left.record["failures"]["nonfinite_steps"] == 2
    assert left.record["converged"]


def test_means_and_diagnostics_pass_over_bad_batches(poisoned: Callable[..., Plan], tmp_path: Path) -> None:
    """The epoch's mean is that of the batches with a finite loss, and null-free JSON all the same."""
    left = run(poisoned({2, 3}), tmp_path)
    assert math.isfinite(left.rows[0]["train"]["left"])
    whole_epoch = run(poisoned(set(range(1, PER_EPOCH + 1))), tmp_path / "epoch")
    assert whole_epoch.rows[0]["train"]["left"] == "NaN"
    assert math.isfinite(whole_epoch.rows[1]["train"]["left"])
    assert whole_epoch.record["converged"]


def test_twenty_five_in_a_row_are_given_up(poisoned: Callable[..., Plan], tmp_path: Path) -> None:
    plan = poisoned(FOREVER, "ls", "nan", "protocol.training.budget.amount=9")
    sentence, left = give_up(plan, tmp_path)
    assert "the last 25 steps up to batch 25 had a non-finite loss or gradient" in sentence
    assert "lower the learning rate" in sentence
    assert str(plan.folder(tmp_path).path) in sentence
    assert not left.record["converged"]
    assert left.record["failures"]["nonfinite_steps"] == 25
    assert left.record["counts"]["batches"] == 25
    assert left.record["test"].keys() == {"left", "right"}
    assert [row["batch"] for row in left.rows] == [7, 14, 21]
    assert left.checkpoint["state"]["counts"]["batches"] == 25


def test_twenty_four_in_a_row_are_not(poisoned: Callable[..., Plan], tmp_path: Path) -> None:
    amount = "protocol.training.budget.amount=14"  # 98 batches: most steps are taken
    left = run(poisoned(set(range(1, 25)) | set(range(26, 50)), "ls", "nan", amount), tmp_path)
    assert left.record["failures"]["nonfinite_steps"] == 48
    assert left.record["converged"]


def test_a_run_that_was_given_up_is_finished(poisoned: Callable[..., Plan], tmp_path: Path) -> None:
    plan = poisoned(FOREVER)
    give_up(plan, tmp_path, max_nonfinite=3)
    outcome = run_cell(plan, Place(tmp_path, device="cpu"), Options(progress=False), NoLogger())
    assert outcome.skipped
    assert not outcome.record["converged"]


@pytest.mark.parametrize("first", [2, PER_EPOCH - 2])  # given up within an epoch, and with its last batch
def test_killed_between_its_checkpoint_and_its_record_it_is_given_up_again(
    first: int, poisoned: Callable[..., Plan], data: Path, tmp_path: Path
) -> None:
    plan = poisoned(FOREVER - set(range(1, first)))
    _, left = give_up(plan, tmp_path, max_nonfinite=3)
    assert left.record["counts"]["batches"] == first + 2
    plan.folder(tmp_path).record.unlink()
    _, again = give_up(vary(plan, data), tmp_path, max_nonfinite=3)
    assert_same(again, left)


@pytest.mark.parametrize("first", [2, PER_EPOCH - 2])
def test_the_kept_checkpoint_goes_on_with_more_patience(
    first: int, poisoned: Callable[..., Plan], tmp_path: Path
) -> None:
    bad = set(range(first, first + 5))
    whole = run(poisoned(bad), tmp_path / "patient")
    plan = poisoned(bad)
    give_up(plan, tmp_path, max_nonfinite=3)
    plan.folder(tmp_path).record.unlink()
    assert_same(train(plan, tmp_path, max_nonfinite=25), whole)
    assert whole.record["converged"]


def test_given_up_under_best_val_it_reports_what_was_kept(poisoned: Callable[..., Plan], tmp_path: Path) -> None:
    best = "++protocol.reporting.selection._target_=mtl_bench.training.selection.BestVal"
    _, left = give_up(poisoned(FOREVER - set(range(1, 10)), "ls", "nan", best), tmp_path, max_nonfinite=3)
    assert left.record["test_evaluations"] == 1
    assert left.record["test"] == left.record["evaluations"][0]["test"]
    assert not left.record["converged"]


def test_the_command_line_says_it_in_one_sentence(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"bad": FOREVER, "how": "nan", "calls": 0}.items():
        monkeypatch.setattr(Poison, name, value)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the command adds to it
    monkeypatch.setattr(sys, "argv", [])
    paths = [f"paths.{name}={tmp_path}" for name in ("runs", "reference")]
    small = [
        "experiment=multidigits",
        "model=mlp",
        "tasks.left._target_=tests.training.poison.Poison",
        "options.max_nonfinite=3",
    ]
    with pytest.raises(SystemExit) as status:
        main(["train", *small, *paths, f"paths.data={data}", "options.progress=false", "device=cpu"])
    assert status.value.code == 1
    said = capsys.readouterr().err
    assert "the last 3 steps up to batch 3 had a non-finite loss or gradient" in said
    assert "Traceback" not in said
    (record,) = tmp_path.rglob("record.json")
    assert json.loads(record.read_text())["converged"] is False
    assert (record.parent / "checkpoint.pt").exists()


def test_batches_without_any_label_are_passed_over(compose: Compose, tmp_path: Path) -> None:
    """A third of the samples lack the left label: some batches of one hold nothing for a run on left alone."""
    singles = ["batch_size=1", "budget.amount=12", "budget.unit=batches"]
    plan = compose("only=[left]", "dataset.labels=partial", *(f"protocol.training.{item}" for item in singles))
    trainer = begin(plan, tmp_path)
    assert trainer.feed.split.labelled is not None
    order = torch.cat([trainer.feed.batches.indices(0, position) for position in range(12)])
    held = trainer.feed.split.labelled[order].any(axis=1)
    assert 0 < held.sum() < 12
    whole = train(plan, tmp_path / "whole")
    counts = whole.record["counts"]
    assert (counts["batches"], counts["forwards"], counts["optimizer_steps"]) == (12, held.sum(), held.sum())
    assert whole.record["failures"] == {"nonfinite_steps": 0, "solver": 0}
    assert_same(train(plan, tmp_path / "stopped", (4, 9)), whole)
    measured = train(plan, tmp_path / "measured", diagnostics_every=1)
    assert sum("diagnostics" in row for row in measured.rows) == held.sum()
    assert measured.record["shares"] == {"left": 1.0}
    assert reported(measured) == reported(whole)


def reported(left: Left) -> dict[str, Any]:
    record = {key: value for key, value in left.record.items() if key != "shares"}
    return {**record, "weights": left.rows[-1]["weights"]}


@pytest.mark.parametrize("value", [0, -1])
def test_patience_is_at_least_one_step(value: int) -> None:
    with pytest.raises(BenchError, match="max_nonfinite must be at least 1"):
        Options(max_nonfinite=value)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"diagnostics_every": -1}, r"diagnostics\.every must be at least 0, got -1; 0 is never\."),
        ({"log_every": -5}, r"options\.log_every must be at least 0, got -5; 0 is never\."),
        ({"checkpoint_seconds": -1.0}, r"options\.checkpoint_seconds must be at least 0, got -1\.0; 0 is after every"),
    ],
)
def test_less_than_never_is_refused(option: dict[str, Any], says: str) -> None:
    with pytest.raises(BenchError, match=says):
        Options(**option)


def test_logging_off(compose: Compose, tmp_path: Path) -> None:
    assert train(compose(), tmp_path, log_every=0).record["converged"]
