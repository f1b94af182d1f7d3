from pathlib import Path
from typing import Any

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.job import compose_plan
from mtl_bench.training.budget import Budget
from mtl_bench.training.protocol import Reporting, Training
from tests.runs import PER_EPOCH, ROOMS, Compose, begin, differing, train


def make_training(**changes: Any) -> Training:
    return Training(**{"batch_size": 8, "budget": Budget(1), "optimizer": torch.optim.Adam, **changes})


@pytest.mark.parametrize(
    ("name", "value", "choices"),
    [
        ("precision", "fp16", "fp64, fp32, tf32, bf16"),
        ("val", "none_at_all", "held_out, none"),
        ("bn_updates", "last", "first, all"),
    ],
)
def test_unknown_choices_are_refused(name: str, value: str, choices: str) -> None:
    with pytest.raises(BenchError, match=f"protocol.training.{name} is one of {choices}; got '{value}'"):
        make_training(**{name: value})


def test_a_batch_without_samples_is_refused() -> None:
    with pytest.raises(BenchError, match="batch_size must be at least 1, got 0"):
        make_training(batch_size=0)


@pytest.mark.parametrize("factor", [-1, 0, float("inf"), float("nan")])
def test_heads_do_not_learn_backwards(factor: float) -> None:
    with pytest.raises(BenchError, match=r"head_lr_factor times the learning rate, .* above 0 and finite, got"):
        make_training(head_lr_factor=factor)


@pytest.mark.parametrize("name", ["evaluate_every", "evaluation_batch_size"])
def test_evaluations_of_nothing_are_refused(name: str) -> None:
    with pytest.raises(BenchError, match="must be at least 1"):
        Reporting(delta_m={}, **{name: 0})


def test_static_weights_are_those_of_fixed(compose: Compose, tmp_path: Path) -> None:
    static = train(compose("++protocol.training.static_weights={left: 1, right: 0.5}"), tmp_path)
    fixed = train(compose("method=fixed", "method.fixed={left: 1, right: 0.5}"), tmp_path)
    plain = train(compose(), tmp_path)
    assert differing(static.checkpoint["model"], fixed.checkpoint["model"]) == []
    assert static.record["evaluations"] == fixed.record["evaluations"]
    assert differing(static.checkpoint["model"], plain.checkpoint["model"]) != []
    assert static.rows[-1]["weights"] == {"left": 1.0, "right": 0.5}


def test_static_weights_of_all_tasks_serve_a_part_of_them(data: Path, tmp_path: Path) -> None:
    weighted = "++protocol.training.static_weights={segmentation: 1, depth_zbuffer: 2, normal: 3}"
    trainer = begin(compose_plan([*ROOMS, "only=[segmentation,normal]", weighted], data), tmp_path)
    assert trainer.method.context.static_weights == {"segmentation": 1, "normal": 3}


def test_without_a_validation_split_its_samples_are_trained_on(compose: Compose, tmp_path: Path) -> None:
    trainer = begin(compose("++protocol.training.val=none"), tmp_path)
    assert set(trainer.evaluator.splits) == {"train", "test"}
    assert trainer.feed.split.size == 4788 + 800
    held_out = begin(compose(), tmp_path)
    assert set(held_out.evaluator.splits) == {"train", "val", "test"}
    assert (held_out.evaluator.splits["train"].size, held_out.feed.per_epoch) == (4788, PER_EPOCH)
    here, there = (run.evaluator.splits["test"].batch(torch.arange(9)) for run in (held_out, trainer))
    assert differing([here.image, here.targets], [there.image, there.targets]) == []


def test_the_last_batch_is_dropped_unless_told_otherwise(compose: Compose, tmp_path: Path) -> None:
    trainer = begin(compose("++protocol.training.drop_last=false"), tmp_path)
    sizes = [len(trainer.feed.batches.indices(0, position)) for position in range(trainer.feed.batches.per_epoch)]
    assert sizes == [600] * PER_EPOCH + [588]


def test_normalisation_reaches_every_split(compose: Compose, tmp_path: Path) -> None:
    plain = begin(compose(), tmp_path)
    shifted = begin(compose("++protocol.training.normalise={mean: [0.5], std: [0.25]}"), tmp_path)
    for name, split in plain.evaluator.splits.items():
        raw, normal = split.batch(torch.arange(5)).image, shifted.evaluator.splits[name].batch(torch.arange(5)).image
        assert torch.allclose(normal, (raw - 0.5) / 0.25)


@pytest.mark.parametrize(("precision", "dtype"), [("fp64", torch.float64), ("bf16", torch.float32)])
def test_precision_of_the_parameters(precision: str, dtype: torch.dtype, compose: Compose, tmp_path: Path) -> None:
    machine = begin(compose(f"++protocol.training.precision={precision}"), tmp_path).machine
    assert {parameter.dtype for parameter in machine.mover.parameters} == {dtype}
    assert machine.forward.autocast == (torch.bfloat16 if precision == "bf16" else None)
