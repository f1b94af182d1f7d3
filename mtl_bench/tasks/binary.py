"""What the tasks with a yes or no per pixel share."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.errors import BenchError
from mtl_bench.tasks.base import Metric, Normalise
from mtl_bench.tasks.dense import Aggregation, DenseTask, check_shapes, tally

PosWeight = float | Literal["balanced"] | None


class BinaryTask(DenseTask):
    """Weighted binary cross-entropy of one logit z: -w·log σ(z) for a positive pixel, -(1 - w)·log σ(-z) for another.

    The weighting of HED (Xie & Tu 2015) as in the code of ASTMT and Vandenhende et al.: w = `pos_weight`, or, with
    `balanced`, the share of negative pixels among the valid ones of the batch (the loss of a batch is then not the sum
    of those of its parts); null weighs every pixel by 1. Targets are classes [batch, height, width], 1, 0, or -1 to be
    ignored, or numbers [batch, 1, height, width] in [0, 1], positive from 0.5 on, NaN or below 0 to be ignored.

    Raises BenchError for a `pos_weight` outside (0, 1).
    """

    likelihood: ClassVar[Literal["classification"]] = "classification"
    outputs = 1

    def __init__(
        self,
        metrics: Sequence[Metric],
        size: int,
        pos_weight: PosWeight,
        aggregation: Aggregation,
        normalise: Normalise,
        loss_scale: float,
    ) -> None:
        super().__init__(metrics, size, aggregation, normalise, loss_scale)
        if pos_weight not in (None, "balanced") and not (isinstance(pos_weight, float | int) and 0 < pos_weight < 1):
            raise BenchError(f"pos_weight is between 0 and 1, or `balanced`, or null for none; got {pos_weight!r}.")
        self.pos_weight = pos_weight

    @property
    def labels(self) -> int:
        return 2

    def valid(self, target: Tensor) -> Bool[Tensor, "batch *elements"]:
        return target >= 0  # not NaN either

    def errors(
        self, output: Float[Tensor, "batch 1 height width"], target: Tensor
    ) -> tuple[Float[Tensor, "batch 1 height width"], Bool[Tensor, "batch 1 height width"]]:
        positive, valid = binary(output, target)
        errors = entropies(torch.where(valid, output, 0.0), positive)
        for_positive, for_negative = self.weights((valid & ~positive).sum() / valid.sum().clamp(min=1))
        return torch.where(valid, torch.where(positive, for_positive * errors, for_negative * errors), 0.0), valid

    def weights(self, negative: Float[Tensor, ""]) -> tuple[Tensor | float, Tensor | float]:
        """Of a positive and of a negative pixel, from the share of negative ones."""
        if self.pos_weight is None:
            return 1.0, 1.0
        weight = negative if isinstance(self.pos_weight, str) else self.pos_weight
        return weight, 1 - weight


def binary(
    output: Float[Tensor, "batch 1 height width"], target: Tensor
) -> tuple[Bool[Tensor, "batch 1 height width"], Bool[Tensor, "batch 1 height width"]]:
    """Positive pixels, and valid ones."""
    target = target.unsqueeze(1) if target.ndim == 3 else target
    check_shapes(output, target)
    return target >= 0.5, target >= 0  # neither holds for NaN


def entropies(output: Tensor, positive: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(output, positive.to(output.dtype), reduction="none")


def reached(
    output: Float[Tensor, "batch 1 height width"],
    positive: Bool[Tensor, "batch 1 height width"],
    valid: Bool[Tensor, "batch 1 height width"],
    thresholds: Float[Tensor, "thresholds"],
) -> Int[Tensor, "batch 2 thresholds"]:
    """How many valid pixels of an image have a probability above each threshold: first the negative, then the positive.

    One histogram instead of a comparison per threshold. NaN is above none.
    """
    slots = len(thresholds) + 1
    above = torch.bucketize(output.double().sigmoid().nan_to_num(0.0), thresholds)  # so many thresholds are exceeded
    image = torch.arange(len(output), device=output.device).view(-1, 1, 1, 1)
    counts = tally((2 * image + positive) * slots + above, valid, 2 * slots * len(output))
    return counts.view(-1, 2, slots).flip(-1).cumsum(-1).flip(-1)[..., 1:]
