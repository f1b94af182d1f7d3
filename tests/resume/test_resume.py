"""2N batches are N batches, a checkpoint, fresh objects and N batches: bit for bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mtl_bench.data.split import Augment, Batch
from mtl_bench.job import compose_plan
from mtl_bench.training.trainer import Trainer
from tests.runs import (
    METHODS,
    PER_EPOCH,
    REQUIRED,
    ROOMS,
    STOPS,
    Compose,
    assert_same,
    begin,
    differing,
    train,
    vary,
)

PARTIAL = {"dataset": {"labels": "partial"}}
TOY = {"model": {"_target_": "tests.resume.models.NormDropout"}}
VARIANTS: dict[str, Any] = {"full": {}, "partial, norm and dropout": PARTIAL | TOY}
SELECTION, TRAINING, OPTIMIZER = (
    "++protocol.reporting.selection",
    "++protocol.training",
    "++protocol.training.optimizer",
)
BEST_VAL = [f"{SELECTION}._target_=mtl_bench.training.selection.BestVal"]
MEAN_LAST = [f"{SELECTION}._target_=mtl_bench.training.selection.MeanLastK", f"{SELECTION}.k=2"]
SINGLES = [f"{TRAINING}.batch_size=1", f"{TRAINING}.budget.amount=12", f"{TRAINING}.budget.unit=batches"]
MOVES = ("RandomScaleCrop", "HorizontalFlip", "ColourJitter")
AUGMENTED = f"{TRAINING}.augmentation=[{', '.join(f'{{_target_: mtl_bench.data.augmentation.{m}}}' for m in MOVES)}]"


def _serving(method: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Without the toy model, which has no norms per task, for a method that asks for them."""
    asks = "model.task_norm=true" in REQUIRED.get(method, [])
    return {node: change for node, change in changes.items() if not (asks and node == "model")}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_is_the_undisturbed_one(
    method: str, variant: str, compose: Compose, data: Path, tmp_path: Path
) -> None:
    changes = _serving(method, VARIANTS[variant])
    plan = vary(compose(f"method={method}", *REQUIRED.get(method, [])), data, changes)
    whole = train(plan, tmp_path / "whole")
    assert whole.record["counts"]["batches"] == 2 * PER_EPOCH
    assert whole.record["converged"]
    assert [row["batch"] for row in whole.rows] == [PER_EPOCH, 2 * PER_EPOCH]
    assert_same(train(plan, tmp_path / "stopped", STOPS), whole)


@pytest.mark.parametrize(
    "options",
    [
        ["method=stgu", "method.warmup=5", "method.every=2"],  # stopped within the warm-up, and at every odd batch
        ["method=stgu_causal", "method.warmup=2", "method.decay=0.5"],
        ["method=cso", "method.granularity=epoch", *REQUIRED["cso"]],
        ["method=cso", "method.phase=sequential", *REQUIRED["cso"]],
        ["method=tag", "method.period=4", "method.measure=all"],
        ["method=random_groups", "method.groups=2"],
        ["method=stch", "method.warmup=0"],
        ["method=dwa", "method.window=2", "dataset.labels=partial"],
        ["method=gradnorm", "method.reference=epoch"],
        ["method=excess_mtl", "method.warmup=4"],
    ],
    ids=" ".join,
)
def test_a_method_goes_on_in_the_middle_of_what_it_counts(
    options: list[str], compose: Compose, data: Path, tmp_path: Path
) -> None:
    plan = vary(compose(*options), data, {})
    assert_same(train(plan, tmp_path / "stopped", STOPS), train(plan, tmp_path / "whole"))


@pytest.mark.parametrize("model", ["resnet18_rooms", "segnet"])
def test_maps_augmentation_and_norms_per_task_go_on(model: str, data: Path, tmp_path: Path) -> None:
    """Stopped within an epoch of four batches, at its end, and within the next."""
    length = [f"{TRAINING}.batch_size=4", f"{TRAINING}.budget.amount=2"]
    more = [f"model={model}", "model.task_norm=true", "method=pcgrad", "+method@method.weighting=uw", AUGMENTED]
    plan = compose_plan([*ROOMS, *more, *length], data)
    whole = train(plan, tmp_path / "whole")
    assert whole.record["counts"]["batches"] == 8
    assert_same(train(plan, tmp_path / "stopped", [3, 4, 6]), whole)


@pytest.mark.parametrize("method", METHODS)
def test_diagnostics_are_measured_beside_training(method: str, compose: Compose, data: Path, tmp_path: Path) -> None:
    """With batch norm and dropout, and also when the run is stopped."""
    plan = vary(compose(f"method={method}", *REQUIRED.get(method, [])), data, _serving(method, PARTIAL | TOY))
    whole = train(plan, tmp_path / "whole")
    measured = train(plan, tmp_path / "measured", diagnostics_every=2)
    assert_same(train(plan, tmp_path / "stopped", [PER_EPOCH - 1], diagnostics_every=2), measured)
    rows = [row for row in measured.rows if "diagnostics" not in row]
    assert len(measured.rows) == len(rows) + PER_EPOCH
    assert rows == whole.rows
    told = {"shares": measured.record["shares"], "cosines": measured.record["cosines"]}
    assert measured.record == {**whole.record, **told}
    assert differing(measured.checkpoint, whole.checkpoint) == [".history"]


@pytest.mark.parametrize(("method", "weighting"), [("pcgrad", "uw"), ("mgda", "dwa"), ("graddrop", "rlw")])
def test_the_state_of_a_nested_weighting_goes_on(method: str, weighting: str, compose: Compose, tmp_path: Path) -> None:
    plan = compose(f"method={method}", f"+method@method.weighting={weighting}", "dataset.labels=partial")
    assert_same(train(plan, tmp_path / "stopped", STOPS), train(plan, tmp_path / "whole"))


@pytest.mark.parametrize(
    ("amount", "unit", "selection", "batches"),
    [
        (9, "batches", BEST_VAL, 9),
        (12, "optimizer_steps", MEAN_LAST, 12),
        (40, "passes", [], 14),  # three passes per batch: stops with the batch that reaches 42
        (1.2, "epochs", [*BEST_VAL, "++protocol.reporting.evaluate_every=2"], 9),
        (13, "batches", [*MEAN_LAST, f"{TRAINING}.val=none"], 13),
    ],
)
def test_every_unit_and_selection_rule(
    amount: float, unit: str, selection: list[str], batches: int, compose: Compose, tmp_path: Path
) -> None:
    budget = [f"{TRAINING}.budget.{name}={value}" for name, value in (("amount", amount), ("unit", unit))]
    plan = compose("method=pcgrad", *budget, *selection)
    whole = train(plan, tmp_path / "whole")
    assert_same(train(plan, tmp_path / "stopped", (3, PER_EPOCH, 8)), whole)
    assert whole.record["counts"]["batches"] == batches
    assert whole.record["test_evaluations"] == (2 if selection[:2] == MEAN_LAST else 1)


@pytest.mark.parametrize(
    "optimizer",
    [
        [f"{OPTIMIZER}._target_=torch.optim.SGD", f"{OPTIMIZER}.momentum=0.9", f"{TRAINING}.clip_norm=1"],
        [f"{OPTIMIZER}._target_=torch.optim.NAdam", f"{TRAINING}.precision=fp64"],
        [f"{OPTIMIZER}.fused=false", f"{OPTIMIZER}.amsgrad=true", f"{TRAINING}.head_lr_factor=3"],
        [f"{OPTIMIZER}._target_=torch.optim.Adagrad", f"{TRAINING}.precision=bf16"],
        [f"{TRAINING}.schedule._target_=mtl_bench.training.schedules.Milestones", f"{TRAINING}.drop_last=false"],
    ],
    ids=["sgd", "nadam", "adam", "adagrad", "milestones"],
)
def test_every_optimizer_and_schedule(optimizer: list[str], compose: Compose, tmp_path: Path) -> None:
    plan = compose("dataset.labels=partial", *optimizer)
    assert_same(train(plan, tmp_path / "stopped", STOPS), train(plan, tmp_path / "whole"))


def test_weights_of_tasks_that_later_batches_do_not_hold_go_on(compose: Compose, tmp_path: Path) -> None:
    plan = compose("dataset.labels=partial", *SINGLES)
    trainer = begin(plan, tmp_path)
    labelled = trainer.feed.split.labelled
    assert labelled is not None
    assert not labelled[trainer.feed.batches.indices(0, 11)].all()
    whole = train(plan, tmp_path / "whole")
    assert set(whole.rows[-1]["weights"]) == {"left", "right"}
    assert_same(train(plan, tmp_path / "stopped", [11]), whole)


def test_a_signal_within_the_last_batch_loses_nothing(compose: Compose, tmp_path: Path) -> None:
    plan = compose()
    whole = train(plan, tmp_path / "whole")
    assert_same(train(plan, tmp_path / "stopped", [2 * PER_EPOCH]), whole)


@pytest.mark.parametrize("variant", VARIANTS)
def test_methods_share_batches_start_and_dropout(variant: str, compose: Compose, data: Path, tmp_path: Path) -> None:
    """One seed, one order and one encoder, however much a method draws."""
    seen = {}
    for method in ("ls", "rlw", "pcgrad", "graddrop"):
        plan = vary(compose(f"method={method}"), data, VARIANTS[variant])
        trainer = begin(plan, tmp_path)
        start = {name: value.clone() for name, value in trainer.machine.model.state_dict().items()}
        batches = _spy(trainer)
        trainer.checkpoint.parent.mkdir(parents=True)
        trainer.run()
        seen[method] = (start, batches, torch.get_rng_state())
    first = seen.pop("ls")
    assert len(first[1]) == 2 * PER_EPOCH
    assert len({tuple(batch.tolist()) for batch in first[1]}) == 2 * PER_EPOCH
    for method, found in seen.items():
        assert differing(found, first) == [], method


def _spy(trainer: Trainer) -> list[Tensor]:
    """The indices of every batch that the trainer takes."""
    taken: list[Tensor] = []
    split = trainer.feed.split
    original = split.batch

    def batch(index: Tensor, augment: Augment | None = None) -> Batch:
        taken.append(index.clone())
        return original(index, augment)

    split.batch = batch  # type: ignore[method-assign]
    return taken


def test_a_new_start_forgets_the_history_of_a_run_without_checkpoint(compose: Compose, tmp_path: Path) -> None:
    plan = compose()
    folder = plan.folder(tmp_path / "stopped")
    folder.create()
    folder.history.write_text('{"batch": 7, "of": "a process killed before its first checkpoint"}\n')
    assert_same(train(plan, tmp_path / "stopped"), train(plan, tmp_path / "whole"))
