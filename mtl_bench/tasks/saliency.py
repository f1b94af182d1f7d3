"""Salient or not, per pixel."""

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.tasks.base import Metric, Normalise
from mtl_bench.tasks.binary import BinaryTask, PosWeight, binary, reached
from mtl_bench.tasks.dense import Aggregation

THRESHOLDS = 15  # 0.2, 0.25, …, 0.9


class Saliency(BinaryTask):
    """Binary cross-entropy of one logit; metrics mean_iou and max_f (%), per image as in the PASCAL-Context code.

    At each of the thresholds 0.2 to 0.9 intersection over union, precision and recall of every image are averaged over
    the images; mean_iou is the largest of the mean IoU, max_f the largest 2PR / (P + R) of mean precision P and mean
    recall R (Vandenhende et al. compare by the first, InvPT prints the second). An image with nothing salient and
    nothing predicted has IoU 1; precision without a prediction and recall without a target are 0. Images without a
    valid pixel do not count.

    Deviations: the probability is scored as it is, while released code rounds it to eight bits first; `pos_weight` is
    null (Vandenhende et al.: `balanced`).

    Raises what `BinaryTask` raises.
    """

    def __init__(
        self,
        pos_weight: PosWeight = None,
        aggregation: Aggregation = "pooled",
        normalise: Normalise = "valid",
        loss_scale: float = 1.0,
    ) -> None:
        metrics = (Metric("mean_iou", True, "%"), Metric("max_f", True, "%"))
        super().__init__(metrics, 3 * THRESHOLDS + 1, pos_weight, aggregation, normalise, loss_scale)

    def sums(self, output: Float[Tensor, "batch 1 height width"], target: Tensor) -> Float[Tensor, "size"]:
        positive, valid = binary(output, target)
        thresholds = torch.arange(4, 4 + THRESHOLDS, dtype=torch.float64, device=output.device) / 20
        false, true = reached(output, positive, valid, thresholds).double().unbind(1)
        salient = positive.sum(dim=(1, 2, 3)).unsqueeze(1)
        iou = torch.where(salient + false > 0, true / (salient + false).clamp(min=1), 1.0)
        scores = torch.stack([iou, true / (true + false).clamp(min=1), true / salient.clamp(min=1)], dim=1)
        counted = valid.any(dim=3).any(dim=2).double()
        return torch.cat([(scores.flatten(1) * counted).sum(0), counted.sum(0)])

    def summary(self, sums: Float[Tensor, "size"]) -> Float[Tensor, "2"]:
        iou, precision, recall = (sums[:-1] / sums[-1]).view(3, THRESHOLDS)
        f = 2 * precision * recall / (precision + recall + 1e-12)  # 0 where both are, as released
        return 100 * torch.stack([iou.max(), f.max()])
