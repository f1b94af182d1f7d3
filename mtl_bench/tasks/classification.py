"""One label per sample."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.errors import BenchError
from mtl_bench.tasks.base import Metric, Normalise, Task, check_classes


class Classification(Task):
    """Softmax cross-entropy over `classes`; metrics accuracy (%) and cross-entropy (nats).

    A target of -1 is a sample without a label: it adds nothing to loss, metrics or counts. `normalise="all"` divides
    by the batch size instead of the labelled samples.

    Raises BenchError for fewer than two classes, and for targets that are one-hot, soft or of another shape.
    """

    likelihood: ClassVar[Literal["classification"]] = "classification"
    totals = 3

    def __init__(self, classes: int, normalise: Normalise = "valid", loss_scale: float = 1.0) -> None:
        super().__init__(normalise, loss_scale)
        if classes < 2:
            raise BenchError(f"A classification task needs at least 2 classes, got classes={classes}.")
        self.outputs = classes
        self.metrics = (Metric("accuracy", True, "%"), Metric("cross_entropy", False, "nats"))

    def loss(
        self, output: Float[Tensor, "batch classes"], target: Int[Tensor, "batch"]
    ) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
        check_classes(output, target)
        return self.reduced(F.cross_entropy(output, target, ignore_index=-1, reduction="sum"), target >= 0)

    def measure(self, output: Float[Tensor, "batch classes"], target: Int[Tensor, "batch"]) -> Float[Tensor, "3"]:
        check_classes(output, target)
        loss = F.cross_entropy(output.double(), target, ignore_index=-1, reduction="sum")
        correct = (output.argmax(dim=1) == target).sum()
        return torch.stack([correct.double(), loss, (target >= 0).sum().double()])

    def values(self, totals: Sequence[float]) -> dict[str, float]:
        correct, loss, count = totals
        if not count:
            raise BenchError("An evaluation saw no label of a classification task; check its split and label table.")
        return {"accuracy": 100.0 * correct / count, "cross_entropy": loss / count}
