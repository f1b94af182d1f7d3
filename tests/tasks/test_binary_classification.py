"""One logit per sample, against torchmetrics and scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from mtl_bench import vision
from mtl_bench.errors import BenchError
from mtl_bench.tasks import BinaryClassification


def drawn(batch: int, seed: int, hidden: float = 0.0) -> tuple[Tensor, Tensor]:
    """Logits that know a little, and labels."""
    draw = torch.Generator().manual_seed(seed)
    target = torch.randint(2, (batch,), generator=draw)
    output = 2 * torch.randn(batch, 1, generator=draw) + 1.5 * target.unsqueeze(1) - 1
    return output, torch.where(torch.rand(batch, generator=draw) < hidden, -1, target)


@pytest.mark.parametrize("hidden", [0.0, 0.4])
def test_metrics_over_batches_are_those_of_torchmetrics(hidden: float) -> None:
    vision.torchvision()  # which torchmetrics imports, and which needs help beside a CPU-only torch
    from torchmetrics.classification import BinaryAccuracy, BinaryAUROC, BinaryF1Score

    task = BinaryClassification(auc=True)
    oracles = {
        "accuracy": BinaryAccuracy(ignore_index=-1),
        "f1": BinaryF1Score(ignore_index=-1),
        "auc": BinaryAUROC(ignore_index=-1),
    }
    totals, losses = torch.zeros(task.totals, dtype=torch.float64), []
    for seed, size in enumerate((40, 40, 7)):
        output, target = drawn(size, seed, hidden)
        totals += task.measure(output, target)
        known = target >= 0
        losses.append(F.binary_cross_entropy_with_logits(output[known, 0], target[known].float(), reduction="none"))
        for oracle in oracles.values():
            oracle.update(output[:, 0], target)
    found = task.values(totals.tolist())
    for name, oracle in oracles.items():
        scale = 1 if name == "auc" else 100
        assert found[name] == pytest.approx(scale * oracle.compute().item(), rel=1e-6), name
    assert found["error"] == pytest.approx(100 - found["accuracy"])
    assert found["cross_entropy"] == pytest.approx(torch.cat(losses).mean().item(), rel=1e-6)
    assert list(found) == [metric.name for metric in task.metrics]


def test_the_area_is_that_of_scikit_learn() -> None:
    """Exactly so of logits on the grid, ties included, and to a millionth of any others."""
    task = BinaryClassification(auc=True)
    output, target = drawn(50_000, 3)
    coarse = (output * 4).round() / 4
    for logits, within in ((coarse, 1e-12), (output, 1e-6)):
        expected = roc_auc_score(target.numpy(), logits[:, 0].double().numpy())
        assert task.values(task.measure(logits, target).tolist())["auc"] == pytest.approx(expected, abs=within)


def test_without_a_pair_there_is_no_area() -> None:
    task = BinaryClassification(auc=True)
    assert math.isnan(task.values(task.measure(torch.randn(5, 1), torch.ones(5).long()).tolist())["auc"])
    assert task.values(task.measure(torch.zeros(4, 1), torch.tensor([0, 1, 0, 1])).tolist())["auc"] == 0.5


def test_loss_is_the_sum_of_cross_entropies_of_labelled_samples() -> None:
    output, target = drawn(40, 0, hidden=0.4)
    output.requires_grad_()
    total, count = BinaryClassification().loss(output, target)
    known = target >= 0
    expected = F.binary_cross_entropy(output[known, 0].sigmoid(), target[known].float(), reduction="sum")
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert count.item() == known.sum().item()
    total.backward()
    assert output.grad is not None
    assert not output.grad[~known].any()
    assert BinaryClassification(normalise="all").loss(output, target)[1].item() == 40


def test_f1_without_positives_is_zero() -> None:
    task = BinaryClassification()
    found = task.values(task.measure(-torch.ones(4, 1), torch.zeros(4).long()).tolist())
    assert (found["f1"], found["accuracy"]) == (0, 100)


def test_a_batch_without_a_label_adds_nothing() -> None:
    task = BinaryClassification(auc=True)
    assert not task.measure(torch.full((3, 1), np.nan), torch.full((3,), -1)).any()
    with pytest.raises(BenchError, match="saw no label"):
        task.values([0.0] * task.totals)


@pytest.mark.parametrize("missing", [-1.0, math.nan])
@pytest.mark.parametrize("auc", [False, True])
def test_numbers_are_labels_as_classes_are(missing: float, auc: bool) -> None:
    task, (output, target) = BinaryClassification(auc), drawn(40, 0, hidden=0.4)
    numbers = torch.where(target >= 0, target, missing)
    assert torch.equal(task.labelled(numbers), target >= 0)
    torch.testing.assert_close(task.measure(output, numbers), task.measure(output, target), rtol=0, atol=0)
    gradients = []
    for labels in (target, numbers):
        leaf = output.clone().requires_grad_()
        total, count = task.loss(leaf, labels)
        assert int(count) == int((target >= 0).sum())
        total.backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


def test_a_number_below_a_half_is_a_no() -> None:
    task, output = BinaryClassification(), torch.tensor([[-3.0], [3.0], [-3.0], [3.0]])
    target = torch.tensor([0.2, 0.9, 0.7, math.nan])
    assert task.values(task.measure(output, target).tolist())["accuracy"] == pytest.approx(200 / 3)
    assert task.negative(target).tolist() == [True, False, False, False]
