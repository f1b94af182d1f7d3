"""Edges and saliency, against NumPy written from the released evaluation code's definitions."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mtl_bench import vision
from mtl_bench.errors import BenchError
from mtl_bench.tasks import Edges, Saliency
from mtl_bench.tasks.binary import BinaryTask
from tests.tasks.maps import numbers, outputs, yes_or_no

TASKS: list[type[BinaryTask]] = [Edges, Saliency]


def evaluated(task: BinaryTask, output: Tensor, target: Tensor) -> dict[str, float]:
    return task.values(task.measure(output, target).tolist())


def balanced(output: Tensor, target: Tensor, weight: float | None) -> tuple[float, int]:
    """Weighted cross-entropy over valid pixels, summed, and their number; null: by the share of negative pixels."""
    there = target.flatten() >= 0
    z, y = output.flatten()[there].double(), target.flatten()[there].double()
    w = (1 - y).mean() if weight is None else weight
    losses = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    return (w * losses[y == 1].sum() + (1 - w) * losses[y == 0].sum()).item(), len(y)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("pos_weight", "weight"), [(0.95, 0.95), (0.3, 0.3), ("balanced", None)])
def test_loss_is_the_weighted_cross_entropy(task: type[BinaryTask], pos_weight: Any, weight: float | None) -> None:
    output, target = outputs(1), yes_or_no()
    total, count = task(pos_weight=pos_weight).loss(output, target)
    expected = balanced(output, target, weight)
    assert (total.item(), count.item()) == (pytest.approx(expected[0], rel=1e-5), expected[1])
    found = evaluated(Edges(pos_weight=pos_weight), output, target)["loss"]
    assert found == pytest.approx(expected[0] / expected[1], rel=1e-6)


def test_without_weights_it_is_plain_cross_entropy() -> None:
    output, target = outputs(1), yes_or_no(share=0.0)
    expected = F.binary_cross_entropy_with_logits(output, target.unsqueeze(1).float(), reduction="sum")
    assert Saliency().loss(output, target)[0].item() == pytest.approx(expected.item(), rel=1e-5)
    assert Saliency(pos_weight=0.5).loss(output, target)[0].item() == pytest.approx(expected.item() / 2, rel=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_numbers_and_classes_mean_the_same(task: type[BinaryTask]) -> None:
    output, target = outputs(1), numbers(1)
    as_classes = torch.where(target.isnan(), -1, (target >= 0.5).long()).squeeze(1)
    assert task().loss(output, target) == task().loss(output, as_classes)
    assert torch.equal(task().measure(output, target), task().measure(output, as_classes))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("label", [0, 1])
def test_a_map_of_one_class_is_finite(task: type[BinaryTask], label: int) -> None:
    output, target = outputs(1).requires_grad_(), torch.full((8, 6, 7), label)
    total, _ = task(pos_weight="balanced").loss(output, target)
    total.backward()
    assert total == 0  # there is nothing to balance
    assert output.grad is not None
    assert output.grad.isfinite().all()
    assert all(np.isfinite(value) for value in evaluated(task(), output, target).values())


def test_max_f_of_edges_is_that_of_torchmetrics() -> None:
    vision.torchvision()  # which torchmetrics imports, and which needs help beside a CPU-only torch
    from torchmetrics.classification import BinaryF1Score

    task, totals = Edges(), 0
    oracles = [BinaryF1Score(threshold=k / 100, ignore_index=-1) for k in range(1, 100)]
    for seed, batch in enumerate((8, 8, 3)):
        target = yes_or_no(batch, seed=seed)
        output = outputs(1, batch, seed) + 2 * target.unsqueeze(1)
        totals = totals + task.measure(output, target)
        for oracle in oracles:
            oracle.update(output.squeeze(1).double().sigmoid(), target)
    expected = max(oracle.compute().item() for oracle in oracles)
    assert task.values(totals.tolist())["max_f"] == pytest.approx(100 * expected, rel=1e-6)


def test_saliency_is_scored_per_image() -> None:
    target = yes_or_no()
    target[2] = target[2].clamp(max=0)  # nothing salient
    target[5] = -1  # nothing known
    output = outputs(1) + 2 * target.unsqueeze(1)
    output[2] -= 100  # nothing predicted
    found = evaluated(Saliency(), output, target)
    scores = np.array([[score(p, t, x) for x in np.linspace(0.2, 0.9, 15)] for p, t in images(output, target)])
    iou, precision, recall = scores.mean(axis=0).T
    assert len(scores) == 7
    assert found["mean_iou"] == pytest.approx(100 * iou.max(), rel=1e-9)
    assert found["max_f"] == pytest.approx(100 * (2 * precision * recall / (precision + recall)).max(), rel=1e-9)


def test_max_f_over_pixels_squashes_twice() -> None:
    """The released steps one by one: 255 times the probability, over 255, a sigmoid, 19 thresholds, F with β² = 0.3."""
    output, target = outputs(1), yes_or_no()
    stored = 255 * output.double().sigmoid().squeeze(1)
    again = torch.sigmoid(stored / 255)[target >= 0].numpy()
    salient, scores = target[target >= 0].numpy() == 1, []
    for threshold in np.arange(1, 20) * 0.05:
        predicted = again >= threshold
        precision = (predicted & salient).sum() / max(predicted.sum(), 1)
        recall = (predicted & salient).sum() / salient.sum()
        scores.append(1.3 * precision * recall / max(0.3 * precision + recall, 1e-12))
    found = evaluated(Saliency(max_f="pixels"), output, target)
    assert found["max_f"] == pytest.approx(100 * max(scores), rel=1e-9)
    assert found["mean_iou"] == evaluated(Saliency(), output, target)["mean_iou"]


def test_max_f_over_pixels_by_hand() -> None:
    """Of three salient pixels one is sure, one near 0.5; of two others one is near 0.3: F at 0.20, 0.41 and 0.62."""
    probability = torch.tensor([0.9, 0.5, 0.1, 0.3, 0.05]).view(1, 1, 1, 5)
    target = torch.tensor([1, 1, 1, 0, 0]).view(1, 1, 5)
    found = evaluated(Saliency(max_f="pixels"), probability.logit(), target)["max_f"]
    f = [1.3 * true / (0.3 * 3 + passed) for true, passed in ((3, 5), (2, 3), (2, 2), (1, 1), (1, 1))]
    assert found == pytest.approx(100 * max(f), rel=1e-6)
    assert max(f) == f[2]


def images(output: Tensor, target: Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
    """Probabilities and targets of valid pixels, image by image."""
    pairs = zip(output.double().sigmoid().flatten(1).numpy(), target.flatten(1).numpy(), strict=True)
    return [(p[t >= 0], t[t >= 0] == 1) for p, t in pairs if (t >= 0).any()]


def score(probability: np.ndarray, target: np.ndarray, threshold: float) -> tuple[float, float, float]:
    predicted = probability > threshold
    both, either = (predicted & target).sum(), (predicted | target).sum()
    return both / either if either else 1.0, both / max(predicted.sum(), 1), both / max(target.sum(), 1)


@pytest.mark.parametrize("task", TASKS)
def test_a_nan_prediction_is_above_no_threshold(task: type[BinaryTask]) -> None:
    output = torch.full((8, 1, 6, 7), torch.nan)
    assert task().loss(output, yes_or_no())[0].isnan()
    assert evaluated(task(), output, yes_or_no())["max_f"] == 0


@pytest.mark.parametrize("task", TASKS)
def test_stored_labels_are_two_for_one_output(task: type[BinaryTask]) -> None:
    assert (task().outputs, task().labels) == (1, 2)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("pos_weight", [0, 1.0, -0.1, "hed"])
def test_wrong_weights_are_refused(task: type[BinaryTask], pos_weight: Any) -> None:
    with pytest.raises(BenchError, match="pos_weight is between 0 and 1"):
        task(pos_weight=pos_weight)
