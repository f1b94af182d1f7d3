"""What would only show at the end of an epoch is asked before training: stored labels, metrics, a batch of one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mtl_bench.data.encoding import Written
from mtl_bench.data.packed import Field, Packed, write_packed
from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError
from mtl_bench.models import MLP
from mtl_bench.tasks import BinaryClassification, Classification, Edges, Saliency, Segmentation, Task
from mtl_bench.training.model_forward import ModelForward
from mtl_bench.training.rehearsal import check_labels, check_targets, rehearse

FIELD = Field("int8", (2, 3), "class", kind="map")
TASKS: dict[str, Task] = {"segmentation": Segmentation(13), "edges": Edges(), "saliency": Saliency()}


def pack(labels: dict[str, int], folder: Path) -> Packed:
    """Every label below the given one, and unlabelled pixels."""
    maps = {name: np.resize(np.arange(-1, top + 1), (5, 2, 3)).astype(np.int8) for name, top in labels.items()}
    write_packed(folder, "maps", {"train": maps}, dict.fromkeys(labels, FIELD), "made up", {})
    return Packed.open(folder)


@pytest.mark.parametrize("top", [0, 1, 12])
def test_known_classes_pass(top: int, tmp_path: Path) -> None:
    check_targets(pack({"segmentation": top}, tmp_path / "packed"), {"segmentation": TASKS["segmentation"]})


def test_yes_and_no_are_two_labels_of_one_output(tmp_path: Path) -> None:
    check_targets(pack({"edges": 1, "saliency": 1}, tmp_path / "packed"), {n: TASKS[n] for n in ("edges", "saliency")})


@pytest.mark.parametrize(("name", "top", "classes"), [("segmentation", 13, 13), ("edges", 2, 2), ("saliency", 2, 2)])
def test_other_classes_are_named(name: str, top: int, classes: int, tmp_path: Path) -> None:
    packed = pack({name: top}, tmp_path / "packed")
    with pytest.raises(BenchError) as refusal:
        check_targets(packed, {name: TASKS[name]})
    said = f"Task {name} has {classes} classes, but split `train` holds labels from -1 to {top}; classes count from 0"
    assert str(refusal.value).startswith(said)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_an_ignore_index_is_refused_like_any_other_stranger(dtype: str, tmp_path: Path) -> None:
    """-100 is what torch's own losses leave out. Packed folders may be older than the refusal to pack it."""
    labels = np.array([0, -100, 12, 5, -1, 3], dtype).reshape(1, 2, 3)
    fields = {"segmentation": Field(dtype, (2, 3), "class")}
    write_packed(tmp_path / "packed", "maps", {"train": {"segmentation": labels.clip(-1)}}, fields, "made up", {})
    np.save(tmp_path / "packed" / "train.segmentation.npy", labels)
    with pytest.raises(BenchError, match=r"`segmentation` of split `train` holds the label -100; .*`ignore`"):
        check_targets(Packed.open(tmp_path / "packed"), {"segmentation": TASKS["segmentation"]})


@pytest.mark.parametrize("ignored", [255, -100])
def test_what_the_encoding_ignores_passes(ignored: int, tmp_path: Path) -> None:
    labels = np.array([0, ignored, 12, 5, -1, 3], np.int16).reshape(1, 2, 3)
    fields = {"segmentation": Field("int16", (2, 3), {"name": "class", "ignore": [ignored]})}
    write_packed(tmp_path / "packed", "maps", {"train": {"segmentation": labels}}, fields, "made up", {})
    check_targets(Packed.open(tmp_path / "packed"), {"segmentation": TASKS["segmentation"]})


def test_a_class_that_is_nan_is_no_label(tmp_path: Path) -> None:
    labels = np.array([0, np.nan, 12, 5, -1, 3], np.float32).reshape(1, 2, 3)
    fields = {"segmentation": Field("float32", (2, 3), "class")}
    for top, name in ((12, "fits"), (13, "strange")):
        arrays = {"train": {"segmentation": np.where(labels == 12, top, labels).astype(np.float32)}}
        write_packed(tmp_path / name, "maps", arrays, fields, "made up", {})
    check_targets(Packed.open(tmp_path / "fits"), {"segmentation": TASKS["segmentation"]})
    with pytest.raises(BenchError, match="holds labels from -1 to 13"):
        check_targets(Packed.open(tmp_path / "strange"), {"segmentation": TASKS["segmentation"]})


def digits(folder: Path, labels: list[int]) -> Split:
    fields = {"image": Field("float32", (1, 2, 2), "float"), "digit": Field("int8", (), "class")}
    arrays = {"image": np.ones((len(labels), 1, 2, 2), np.float32), "digit": np.array(labels, np.int8)}
    write_packed(folder, "digits", {"val": arrays}, fields, "made up", {})
    return Split(Packed.open(folder), ["val"], ["digit"], "cpu")


def test_a_split_without_a_label_is_named_before_training(tmp_path: Path) -> None:
    check_labels({"val": digits(tmp_path / "late", [-1] * 40 + [1])}, {"digit": Classification(3)})
    with pytest.raises(BenchError, match=r"Split `val` has no label of task digit.*only="):
        check_labels({"val": digits(tmp_path / "none", [-1] * 40)}, {"digit": Classification(3)})


@pytest.mark.parametrize(("labels", "lacks"), [([1] * 40, "negative"), ([0, -1] * 20, "positive")])
def test_an_area_without_a_pair_is_refused_before_training(labels: list[int], lacks: str, tmp_path: Path) -> None:
    """It would be NaN, by which a run that went well would not have converged."""
    split, task = digits(tmp_path / "one", labels), BinaryClassification(auc=True)
    with pytest.raises(BenchError, match=rf"Split `val` has no {lacks} label of task digit.*tasks.digit.auc=false"):
        check_labels({"val": split}, {"digit": task})
    check_labels({"train": split}, {"digit": task})  # which nobody evaluates
    check_labels({"val": split}, {"digit": BinaryClassification()})
    check_labels({"val": digits(tmp_path / "both", [*labels, 1 - labels[0]])}, {"digit": task})


class Misnamed(Classification):
    def values(self, totals: Sequence[float]) -> dict[str, float]:
        return {"precision": totals[0]}


class Wrong(Classification):
    def values(self, totals: Sequence[float]) -> dict[str, float]:
        return {"accuracy": totals[7]}


class TooFew(Classification):
    def values(self, totals: Sequence[float]) -> dict[str, float]:
        raise ZeroDivisionError


class Squeezing(MLP):
    """Loses the first axis of a batch of one."""

    def decode(self, features: list[Tensor], task: int) -> Tensor:
        output = super().decode(features, task)
        assert isinstance(output, Tensor)
        return output.squeeze()


def test_what_an_evaluation_does_at_its_end_is_rehearsed(tmp_path: Path) -> None:
    split, model = digits(tmp_path / "packed", [0, 1, 2, 1]), MLP({"digit": 3}, (1, 2, 2), (4,))
    for right in (Classification(3), TooFew(3)):
        rehearse(ModelForward(model, {"digit": right}), split)
    with pytest.raises(BenchError, match="gives precision, but its metrics are accuracy, cross_entropy"):
        rehearse(ModelForward(model, {"digit": Misnamed(3)}), split)
    with pytest.raises(BenchError, match=r"metrics of task digit cannot be computed from their totals: IndexError"):
        rehearse(ModelForward(model, {"digit": Wrong(3)}), split)
    forward = ModelForward(Squeezing({"digit": 3}, (1, 2, 2), (4,)), {"digit": Classification(3)})
    rehearse(forward, split)
    with pytest.raises(BenchError, match=r"gives \[3\] for task digit, expected \[1, 3, …\]"):
        rehearse(forward, split, samples=1)


@pytest.mark.parametrize("task", [BinaryClassification(), Edges()])
def test_numbers_that_are_no_yes_or_no_are_named(task: Task, tmp_path: Path) -> None:
    """-1 and NaN are no label, in numbers as in classes; what an encoding calls invalid is none either."""
    plain, marked = "float", {"name": "number", "invalid": 255}

    def look(numbers: list[float], encoding: Written, folder: str) -> None:
        fields = {"sold": Field("float32", (1, 1, 1), encoding)}
        arrays = {"train": {"sold": np.array(numbers, np.float32).reshape(-1, 1, 1, 1)}}
        write_packed(tmp_path / folder, "numbers", arrays, fields, "made up", {})
        check_targets(Packed.open(tmp_path / folder), {"sold": task})

    look([0, 1, -1, np.nan, 0.5], plain, "fits")
    look([-1, np.nan], plain, "none")
    look([0, 1, 255], marked, "marked")
    for number, span in ((255, "0 to 255"), (1.5, "0 to 1.5"), (-0.5, "-0.5 to 1"), (-100, "-100 to 1")):
        with pytest.raises(BenchError, match=rf"Task sold has 2 classes, but .* labels from {span}; .*`invalid`"):
            look([0, 1, -1, number], plain, f"holds {number}")


def test_labels_of_another_task_are_no_classes(tmp_path: Path) -> None:
    """Numbers may be what a classification of one's own learns from, such as another model's scores."""
    fields = {"scores": Field("float32", (3,), "float")}
    write_packed(tmp_path / "p", "s", {"train": {"scores": np.array([[-4, 2, 7]], "f4")}}, fields, "made up", {})
    check_targets(Packed.open(tmp_path / "p"), {"scores": Classification(3)})


class Broadcasting(Classification):
    """Right where there are as many samples as classes."""

    def measure(self, output: Tensor, target: Tensor) -> Tensor:
        return super().measure(output, target + torch.zeros(self.outputs, dtype=torch.long))


def test_the_samples_are_not_as_many_as_the_classes(tmp_path: Path) -> None:
    split, model = digits(tmp_path / "packed", [0, 1, 2, 1]), MLP({"digit": 3}, (1, 2, 2), (4,))
    with pytest.raises(BenchError, match="metrics of task digit failed"):
        rehearse(ModelForward(model, {"digit": Broadcasting(3)}), split)
