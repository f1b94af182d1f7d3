"""Yes or no per sample."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.errors import BenchError
from mtl_bench.tasks.base import Metric, Normalise, Task
from mtl_bench.tasks.dense import tally

STEPS = 4096  # of a logit's unit: scores closer than that count as equal in the AUC
REACH = 16  # logits beyond are all equal; their probabilities differ by less than 1.2e-7
BINS = 2 * REACH * STEPS + 1


class BinaryClassification(Task):
    """Binary cross-entropy of one logit; metrics accuracy, error and f1 (%) of the threshold 0.5, and cross_entropy.

    F1 = 2TP / (2TP + FP + FN) of the counts of the whole split, as in the CelebA code of Liu et al. (NeurIPS 2023); it
    is 0 where nothing is positive or predicted to be. Targets are classes, 1, 0, or -1 for a sample without a label, or
    numbers in [0, 1], positive from 0.5 on, NaN or -1 for none; the cross-entropy is that of the number itself.

    `auc` adds the area under the ROC curve: the share of pairs of a positive and a negative sample that the logit
    orders rightly, equal ones counting half. Logits are rounded to 1/4096 within ±16 for it, so that it needs no list
    of all samples: exact but for pairs closer than that. NaN of one class: training refuses such a split.

    Raises BenchError when an evaluation saw no label.
    """

    likelihood: ClassVar[Literal["classification"]] = "classification"
    outputs = 1

    def __init__(self, auc: bool = False, normalise: Normalise = "valid", loss_scale: float = 1.0) -> None:
        super().__init__(normalise, loss_scale)
        self.auc = auc
        self.totals = 5 + (2 * BINS if auc else 0)
        self.metrics = (
            Metric("accuracy", True, "%"),
            Metric("error", False, "%"),
            Metric("f1", True, "%"),
            Metric("cross_entropy", False, "nats"),
            *([Metric("auc", True, "")] if auc else []),
        )

    @property
    def labels(self) -> int:
        return 2

    def valid(self, target: Tensor) -> Bool[Tensor, "batch"]:
        return target >= 0  # not NaN either

    def positive(self, target: Tensor) -> Bool[Tensor, "batch"]:
        return target >= 0.5  # not so for NaN

    def negative(self, target: Tensor) -> Bool[Tensor, "batch"]:
        return self.valid(target) & ~self.positive(target)

    def loss(self, output: Float[Tensor, "batch 1"], target: Tensor) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
        valid = self.valid(target)
        return self.reduced(_entropies(output.squeeze(1), target, valid).sum(), valid)

    def measure(self, output: Float[Tensor, "batch 1"], target: Tensor) -> Float[Tensor, "totals"]:
        logit, valid = output.squeeze(1).double(), self.valid(target)
        said, true = (logit > 0) & valid, self.positive(target)
        counts = torch.stack([(said & true).sum(), (said & ~true).sum(), (~said & true).sum(), valid.sum()]).double()
        found = torch.cat([counts, _entropies(logit, target, valid).sum().view(1)])
        if not self.auc:
            return found
        bins = (logit.nan_to_num(0.0).clamp(-REACH, REACH) * STEPS).round().long() + REACH * STEPS
        return torch.cat([found, tally(bins + BINS * true, valid, 2 * BINS).double()])

    def values(self, totals: Sequence[float]) -> dict[str, float]:
        hits, false, missed, count, loss = totals[:5]
        if not count:
            raise BenchError("An evaluation saw no label of a binary task; check its split and label table.")
        error = 100.0 * (false + missed) / count
        found = {"accuracy": 100.0 - error, "error": error}
        found["f1"] = 200.0 * hits / max(1.0, 2 * hits + false + missed)
        found["cross_entropy"] = loss / count
        return found | ({"auc": _area(totals[5:])} if self.auc else {})


def _entropies(logit: Float[Tensor, "batch"], target: Tensor, valid: Bool[Tensor, "batch"]) -> Tensor:
    """Zero, and without gradient, where there is no label; the gradient of what is selected away must not be NaN."""
    known = torch.where(valid, target, 0).to(logit.dtype)
    losses = F.binary_cross_entropy_with_logits(logit, known, reduction="none")
    return torch.where(valid, losses, 0.0)


def _area(counts: Sequence[float]) -> float:
    negative, positive = torch.tensor(counts, dtype=torch.float64).view(2, BINS)
    below = negative.cumsum(0) - negative / 2
    return float((positive * below).sum() / (positive.sum() * negative.sum()))  # 0 / 0 is NaN
