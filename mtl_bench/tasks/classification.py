"""One label per sample."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.errors import BenchError
from mtl_bench.tasks.base import Metric, Task


class Classification(Task):
    """Softmax cross-entropy over `classes`; metrics accuracy (%) and cross-entropy (nats).

    A target of -1 is a sample without a label: it adds nothing to loss, metrics or counts. With `normalise="valid"` the
    loss is the mean over labelled samples, with `"all"` the sum over them divided by the batch size (which shrinks
    sparsely labelled tasks by their label rate, as released partial-label code does).

    Raises BenchError for fewer than two classes.
    """

    likelihood: ClassVar[Literal["classification"]] = "classification"
    totals = 3

    def __init__(self, classes: int, normalise: Literal["valid", "all"] = "valid") -> None:
        if classes < 2:
            raise BenchError(f"A classification task needs at least 2 classes, got classes={classes}.")
        if normalise not in ("valid", "all"):
            raise BenchError(f"normalise is `valid` or `all`, got {normalise!r}.")
        self.outputs = classes
        self.normalise = normalise
        self.metrics = (Metric("accuracy", True, "%"), Metric("cross_entropy", False, "nats"))

    def loss(
        self, output: Float[Tensor, "batch classes"], target: Int[Tensor, "batch"]
    ) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
        total = F.cross_entropy(output, target, ignore_index=-1, reduction="sum")
        counted = target >= 0 if self.normalise == "valid" else torch.ones_like(target)
        return total, counted.sum()

    def measure(self, output: Float[Tensor, "batch classes"], target: Int[Tensor, "batch"]) -> Float[Tensor, "3"]:
        loss = F.cross_entropy(output.double(), target, ignore_index=-1, reduction="sum")
        correct = (output.argmax(dim=1) == target).sum()
        return torch.stack([correct.double(), loss, (target >= 0).sum().double()])

    def values(self, totals: Sequence[float]) -> dict[str, float]:
        correct, loss, count = totals
        if not count:
            raise BenchError("An evaluation saw no label of a classification task; check its split and label table.")
        return {"accuracy": 100.0 * correct / count, "cross_entropy": loss / count}
