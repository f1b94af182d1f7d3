import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mtl_bench import vision
from mtl_bench.errors import BenchError
from mtl_bench.tasks import Classification

CLASSES = 5


def logits(batch: int = 40, seed: int = 0) -> Tensor:
    return torch.randn(batch, CLASSES, generator=torch.Generator().manual_seed(seed)).mul_(3).requires_grad_()


def labels(batch: int = 40, hidden: float = 0.0, seed: int = 1) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    chosen = torch.randint(CLASSES, (batch,), generator=draw)
    return torch.where(torch.rand(batch, generator=draw) < hidden, -1, chosen)


def reference(output: Tensor, target: Tensor) -> np.ndarray:
    """Cross-entropy of each labelled sample, in float64."""
    rows = output.detach().double().numpy()
    rows = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return np.array([-row[label] for row, label in zip(rows, target.tolist(), strict=True) if label >= 0])


@pytest.mark.parametrize("hidden", [0.0, 0.4])
def test_loss_is_the_sum_of_cross_entropies(hidden: float) -> None:
    output, target = logits(), labels(hidden=hidden)
    total, count = Classification(CLASSES).loss(output, target)
    expected = reference(output, target)
    assert total.item() == pytest.approx(expected.sum(), rel=1e-5)
    assert count.item() == len(expected) == (target >= 0).sum()


def test_normalise_all_divides_by_the_batch() -> None:
    output, target = logits(), labels(hidden=0.4)
    valid, everything = (Classification(CLASSES, normalise=rule).loss(output, target) for rule in ("valid", "all"))
    assert torch.equal(valid[0], everything[0])
    assert everything[1].item() == 40 > valid[1].item()


def test_samples_without_a_label_feel_nothing() -> None:
    output, target = logits(), labels(hidden=0.4)
    total, _ = Classification(CLASSES).loss(output, target)
    total.backward()
    assert output.grad is not None
    assert not output.grad[target < 0].any()
    assert output.grad[target >= 0].any(dim=1).all()


def test_a_batch_without_a_label_is_zero_without_nan() -> None:
    task, output = Classification(CLASSES), logits()
    total, count = task.loss(output, torch.full((40,), -1))
    (total / count.clamp(min=1)).backward()
    assert (total.item(), count.item()) == (0.0, 0)
    assert output.grad is not None
    assert not output.grad.any()
    assert task.measure(output, torch.full((40,), -1)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("hidden", [0.0, 0.4])
def test_metrics_over_batches_are_those_of_torchmetrics(hidden: float) -> None:
    vision.torchvision()  # which torchmetrics imports, and which needs help beside a CPU-only torch
    from torchmetrics.classification import MulticlassAccuracy

    task = Classification(CLASSES)
    accuracy = MulticlassAccuracy(CLASSES, average="micro", ignore_index=-1)
    totals, losses = torch.zeros(task.totals, dtype=torch.float64), []
    for seed, size in enumerate((40, 40, 7)):  # the last batch is smaller, and counts less
        output, target = logits(size, seed), labels(size, hidden, seed + 10)
        totals += task.measure(output, target)
        accuracy.update(output, target)
        losses.append(reference(output, target))
    found = task.values(totals.tolist())
    assert found["accuracy"] == pytest.approx(100 * accuracy.compute().item(), rel=1e-6)
    assert found["cross_entropy"] == pytest.approx(np.concatenate(losses).mean(), rel=1e-9)
    assert {metric.name: metric.higher_is_better for metric in task.metrics} == {
        "accuracy": True,
        "cross_entropy": False,
    }
    assert set(found) == {metric.name for metric in task.metrics}


def test_totals_are_float64_whatever_the_output() -> None:
    measured = Classification(CLASSES).measure(logits().bfloat16(), labels())
    assert measured.dtype == torch.float64
    assert measured[2] == 40


def test_uniform_predictions_cost_the_logarithm_of_the_classes() -> None:
    total, count = Classification(CLASSES).loss(torch.zeros(8, CLASSES), labels(8))
    assert (total / count).item() == pytest.approx(math.log(CLASSES))


def test_an_evaluation_without_a_label_is_an_error() -> None:
    with pytest.raises(BenchError, match="saw no label"):
        Classification(CLASSES).values([0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [({"classes": 1}, "at least 2 classes, got classes=1"), ({"classes": 3, "normalise": "batch"}, "`valid` or `all`")],
)
def test_wrong_arguments(arguments: dict, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        Classification(**arguments)


@pytest.mark.parametrize("batch", [3, 6])
@pytest.mark.parametrize("soft", [torch.float32, torch.int64])
def test_one_hot_labels_are_refused_whatever_the_sizes(batch: int, soft: torch.dtype) -> None:
    task, output = Classification(3), torch.randn(batch, 3)
    target = torch.eye(3).repeat(batch // 3, 1).to(soft)
    for judged in (task.loss, task.measure):
        with pytest.raises(BenchError, match=r"\[\] per sample, got \[3\] of torch.*the encoding `class`"):
            judged(output, target)
