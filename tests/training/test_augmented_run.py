"""Whole runs whose training batches are augmented."""

from pathlib import Path

import pytest
import torch

from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.training.progress import ProgressBar
from mtl_bench.training.trainer import Trainer
from tests.runs import STOPS, Compose, assert_same, begin, differing, train

CROP = "{_target_: mtl_bench.data.augmentation.RandomScaleCrop, keeps_labels: true}"
FLIP = "{_target_: mtl_bench.data.augmentation.HorizontalFlip, keeps_labels: true}"
JITTER = "{_target_: mtl_bench.data.augmentation.ColourJitter, saturation: 0}"
AUGMENTED = f"++protocol.training.augmentation=[{CROP}, {FLIP}, {JITTER}]"


def first_batches(trainer: Trainer, monkeypatch: pytest.MonkeyPatch, count: int = 3) -> list[Batch]:
    """What the training split served while the first batches were trained on."""
    served: list[Batch] = []
    split = trainer.feed.split
    original = split.batch
    monkeypatch.setattr(split, "batch", lambda *arguments: served.append(original(*arguments)) or served[-1])
    with ProgressBar("", shown=False) as bar:
        for _ in range(count):
            trainer._batch(bar)
    return served


def test_a_resumed_run_sees_the_same_pictures(compose: Compose, tmp_path: Path) -> None:
    plan = compose("method=uw", AUGMENTED)
    straight = train(plan, tmp_path / "straight")
    assert_same(straight, train(plan, tmp_path / "stopped", STOPS))
    plain = train(compose("method=uw"), tmp_path / "plain")
    assert differing(straight.checkpoint["model"], plain.checkpoint["model"])


def test_methods_of_one_seed_see_the_same_pictures(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [begin(compose(f"method={method}", AUGMENTED), tmp_path) for method in ("ls", "pcgrad", "rlw")]
    one, *others = (first_batches(run, monkeypatch) for run in runs)
    plain = first_batches(begin(compose(), tmp_path), monkeypatch)
    for batches in others:
        assert all(torch.equal(a.image, b.image) for a, b in zip(one, batches, strict=True))
    assert not any(torch.equal(a.image, b.image) for a, b in zip(one, plain, strict=True))
    assert all(torch.equal(a.targets["left"], b.targets["left"]) for a, b in zip(one, plain, strict=True))


def test_evaluations_see_the_pictures_as_they_are(compose: Compose, tmp_path: Path) -> None:
    augmented, plain = begin(compose(AUGMENTED), tmp_path), begin(compose(), tmp_path)
    for name in ("val", "test"):
        assert augmented.evaluator.metrics(name) == plain.evaluator.metrics(name)


def test_augmentation_is_part_of_what_a_run_is(compose: Compose) -> None:
    plain = compose()
    assert compose("++protocol.training.augmentation=[]").hash == plain.hash
    hashes = {compose(f"++protocol.training.augmentation=[{part}]").hash for part in (CROP, FLIP, f"{CROP}, {FLIP}")}
    assert len(hashes | {plain.hash}) == 4


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("{_target_: mtl_bench.data.augmentation.HorizontalFlip}", "`left` is a label of the whole image"),
        ("{_target_: mtl_bench.training.budget.Budget, amount: 1}", r"augmentation.0 \(Budget\) is no Augmentation"),
        ("{_target_: mtl_bench.data.augmentation.HorizontalFlip, q: 1}", "q is no argument of HorizontalFlip"),
        ("7", "protocol.training.augmentation must be a list"),
    ],
)
def test_what_cannot_augment_is_named(node: str, message: str, compose: Compose, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=message):
        begin(compose(f"++protocol.training.augmentation=[{node}]"), tmp_path)
