import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_bench import vision
from mtl_bench.errors import BenchError
from mtl_bench.tasks import Segmentation
from tests.tasks.maps import CLASSES, classes, outputs


def brute_force(predicted: np.ndarray, target: np.ndarray, absent: str) -> tuple[float, float]:
    """Mean IoU and accuracy (%) by sets of pixels."""
    seen, ious = target >= 0, []
    for label in range(CLASSES):
        here, there = (predicted == label) & seen, (target == label) & seen
        if union := (here | there).sum():
            ious.append((here & there).sum() / union)
        elif absent == "zero":
            ious.append(0.0)
    return 100 * float(np.mean(ious)), 100 * float((predicted == target)[seen].mean())


@given(seed=st.integers(0, 999), among=st.integers(1, CLASSES), share=st.floats(0, 0.9), batch=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("absent", ["skip", "zero"])
def test_metrics_are_those_of_brute_force(absent: str, seed: int, among: int, share: float, batch: int) -> None:
    output, target = outputs(CLASSES, batch, seed), classes(batch, share, seed, among)
    output[:, among:] -= 100 * (seed % 2)  # classes that are neither there nor predicted
    task = Segmentation(CLASSES, absent=absent)
    found = task.values(task.measure(output, target).tolist())
    expected = brute_force(output.argmax(1).numpy(), target.numpy(), absent)
    assert (found["mean_iou"], found["pixel_accuracy"]) == pytest.approx(expected, rel=1e-12)


def test_metrics_over_batches_are_those_of_torchmetrics() -> None:
    vision.torchvision()  # which torchmetrics imports, and which needs help beside a CPU-only torch
    from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

    task = Segmentation(CLASSES)
    iou, accuracy = (
        MulticlassJaccardIndex(CLASSES, ignore_index=-1),
        MulticlassAccuracy(CLASSES, average="micro", ignore_index=-1),
    )
    totals = torch.zeros(task.totals, dtype=torch.float64)
    for seed, batch in enumerate((8, 8, 3)):
        output, target = outputs(CLASSES, batch, seed), classes(batch, seed=seed)
        totals += task.measure(output, target)
        for oracle in (iou, accuracy):
            oracle.update(output, target)
    found = task.values(totals.tolist())
    assert found["mean_iou"] == pytest.approx(100 * iou.compute().item(), rel=1e-6)
    assert found["pixel_accuracy"] == pytest.approx(100 * accuracy.compute().item(), rel=1e-6)


def test_a_perfect_prediction_of_two_classes_of_five() -> None:
    target = classes(among=2)
    output = torch.nn.functional.one_hot(target.clamp(min=0), CLASSES).movedim(-1, 1).float()
    skipped, counted = (Segmentation(CLASSES, absent=absent) for absent in ("skip", "zero"))
    assert skipped.values(skipped.measure(output, target).tolist())["mean_iou"] == 100
    assert counted.values(counted.measure(output, target).tolist())["mean_iou"] == pytest.approx(40)


def test_loss_is_the_sum_of_cross_entropies() -> None:
    output, target = outputs(CLASSES), classes()
    total, count = Segmentation(CLASSES).loss(output, target)
    expected = torch.nn.functional.cross_entropy(output.double(), target, ignore_index=-1, reduction="sum")
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert count == (target >= 0).sum()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [({"classes": 1}, "at least 2 classes, got classes=1"), ({"classes": 3, "absent": "nan"}, "`skip` or `zero`")],
)
def test_wrong_arguments_of_segmentation(arguments: dict, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        Segmentation(**arguments)


@pytest.mark.parametrize("target", [torch.zeros(2, 3, 3, 3), torch.zeros(2, 3, 3), torch.zeros(2, 1, 3, 3).long()])
def test_what_is_no_map_of_classes_is_refused(target: torch.Tensor) -> None:
    for judged in (Segmentation(3).loss, Segmentation(3).measure):
        with pytest.raises(BenchError, match=r"\[3, 3\] per sample, got .*the encoding `class`"):
            judged(torch.zeros(2, 3, 3, 3), target)
