"""The validation batches of a run: which samples, in which order, as they are evaluated; and where there are none."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mtl_bench.data.split import Augment, Batch
from mtl_bench.errors import BenchError
from mtl_bench.training.trainer import Trainer
from tests.runs import PER_EPOCH, STOPS, Compose, assert_same, begin, train

METHOD = "method=learned_priority"
TRAINING = "++protocol.training"


def taken(trainer: Trainer, count: int) -> list[tuple[Tensor, Augment | None]]:
    """Indices of the first held-out batches, and what augmented them."""
    found: list[tuple[Tensor, Augment | None]] = []
    val = trainer.evaluator.splits["val"]
    original = val.batch

    def batch(index: Tensor, augment: Augment | None = None) -> Batch:
        found.append((index.clone(), augment))
        return original(index, augment)

    val.batch = batch  # type: ignore[method-assign]
    assert trainer.machine.held_out is not None
    for number in range(count):
        trainer.machine.held_out(number)
    return found


def test_every_pass_over_the_split_has_an_order_of_its_own(compose: Compose, tmp_path: Path) -> None:
    jitter = f"{TRAINING}.augmentation=[{{_target_: mtl_bench.data.augmentation.ColourJitter, saturation: 0}}]"
    trainer = begin(compose(METHOD, f"{TRAINING}.batch_size=250", jitter), tmp_path)
    assert trainer.feed.chain.at(0, 0) is not None
    size = trainer.evaluator.splits["val"].size
    per_pass = size // 250
    assert per_pass >= 2
    found = taken(trainer, 2 * per_pass)
    assert all(augment is None and len(index) == 250 for index, augment in found)
    passes = [torch.cat([index for index, _ in found[n * per_pass :][:per_pass]]) for n in range(2)]
    assert [len(seen.unique()) for seen in passes] == [250 * per_pass] * 2
    assert not torch.equal(*passes)
    assert not torch.equal(passes[0][:250], trainer.feed.batches.indices(0, 0))


def test_a_split_smaller_than_a_batch_is_taken_whole(compose: Compose, tmp_path: Path) -> None:
    trainer = begin(compose(METHOD, f"{TRAINING}.batch_size=2000"), tmp_path)
    size = trainer.evaluator.splits["val"].size
    assert size < 2000
    assert [len(index) for index, _ in taken(trainer, 3)] == [size] * 3


def test_two_seeds_take_other_samples(compose: Compose, tmp_path: Path) -> None:
    one, same, other = (
        taken(begin(compose(METHOD, f"seed={seed}"), tmp_path), 1)[0][0].sort().values for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_evaluation_does_not_shift_them(compose: Compose, tmp_path: Path) -> None:
    """Read from disk, where evaluations and held-out batches share what reads ahead."""
    plan = compose(METHOD)
    whole = train(plan, tmp_path / "whole")
    mapped = train(plan, tmp_path / "mapped", STOPS, {"residency": "memmap"})
    assert_same(mapped, whole)
    assert whole.record["counts"]["passes"] == 2 * PER_EPOCH * 5  # 2 forwards, 2 + 1 backwards


def test_a_protocol_that_holds_nothing_out_is_refused_at_the_start(compose: Compose, tmp_path: Path) -> None:
    plan = compose(METHOD, f"{TRAINING}.val=none")
    with pytest.raises(BenchError, match=r"there are none: choose a protocol with protocol\.training\.val=held_out"):
        begin(plan, tmp_path)
    assert not list(tmp_path.iterdir())
