"""Edge or not, per pixel."""

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.tasks.base import Metric, Normalise
from mtl_bench.tasks.binary import BinaryTask, PosWeight, binary, entropies, reached
from mtl_bench.tasks.dense import Aggregation

THRESHOLDS = 99  # 0.01, 0.02, …, 0.99


class Edges(BinaryTask):
    """Class-balanced cross-entropy of one logit; metrics loss (nats, unscaled) and max_f (%).

    max_f is the pixel-wise F-measure 2·TP / (2·TP + FP + FN) of the whole split at the best of the thresholds 0.01 to
    0.99. It is *not* the odsF of papers, and not comparable with it: nothing is thinned, no pixel is matched with a
    neighbour. With `pos_weight="balanced"` the metric `loss` weighs by the negative pixels of the whole split, in
    `batch_mean` by those of the batch. 0.95 is the weight of NYUD-MT and PASCAL-Context in ASTMT and its successors.

    Raises what `BinaryTask` raises.
    """

    def __init__(
        self,
        pos_weight: PosWeight = 0.95,
        aggregation: Aggregation = "pooled",
        normalise: Normalise = "valid",
        loss_scale: float = 1.0,
    ) -> None:
        metrics = (Metric("loss", False, "nats"), Metric("max_f", True, "%"))
        super().__init__(metrics, 2 * THRESHOLDS + 4, pos_weight, aggregation, normalise, loss_scale)

    def sums(self, output: Float[Tensor, "batch 1 height width"], target: Tensor) -> Float[Tensor, "size"]:
        positive, valid = binary(output, target)
        errors = torch.where(valid, entropies(output.double(), positive), 0.0)
        losses = [torch.where(positive, errors, 0.0).sum(), torch.where(positive, 0.0, errors).sum()]
        thresholds = torch.arange(1, THRESHOLDS + 1, dtype=torch.float64, device=output.device) / 100
        counts = reached(output, positive, valid, thresholds).sum(0).flatten()
        return torch.cat([counts, torch.stack([*losses, positive.sum(), valid.sum()])])

    def summary(self, sums: Float[Tensor, "size"]) -> Float[Tensor, "2"]:
        false, true = sums[: 2 * THRESHOLDS].view(2, THRESHOLDS)
        of_positive, of_negative, positive, count = sums[2 * THRESHOLDS :]
        for_positive, for_negative = self.weights(1 - positive / count)
        loss = (for_positive * of_positive + for_negative * of_negative) / count
        f = 2 * true / (true + false + positive).clamp(min=1)
        return torch.stack([loss, 100 * f.max()])
