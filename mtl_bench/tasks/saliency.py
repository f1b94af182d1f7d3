"""Salient or not, per pixel."""

import math
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.tasks.base import Metric, Normalise, check_choice
from mtl_bench.tasks.binary import BinaryTask, PosWeight, binary, reached
from mtl_bench.tasks.dense import Aggregation

THRESHOLDS = 15  # 0.2, 0.25, …, 0.9
# InvPT's 0.05, 0.1, …, 0.95, after a second sigmoid that no probability leaves below 0.5 or above 0.74: those up to 0.5
# let everything pass, the next ones lie at log(t / (1 - t)), and from 0.75 on nothing passes.
TWICE_SQUASHED = (-1.0, *(math.log(t / (1 - t)) for t in (0.55, 0.6, 0.65, 0.7)))
BETA_SQUARED = 0.3


class Saliency(BinaryTask):
    """Binary cross-entropy of one logit; metrics mean_iou and max_f (%), per image as in the PASCAL-Context code.

    At each of the thresholds 0.2 to 0.9 intersection over union, precision and recall of every image are averaged over
    the images; mean_iou is the largest of the mean IoU, max_f the largest 2PR / (P + R) of mean precision P and mean
    recall R (ASTMT and Vandenhende et al. compare by the first). An image with nothing salient and
    nothing predicted has IoU 1; precision without a prediction and recall without a target are 0. Images without a
    valid pixel do not count.

    `max_f: pixels` is the one that InvPT and sel-update-mtl print, another number: (1 + β²)PR / (β²P + R) with β² = 0.3
    of the pixels of the whole split, at 0.05 to 0.95, and of probabilities that go through the sigmoid once more, which
    leaves five thresholds that differ: 0 (every pixel), 0.20, 0.41, 0.62 and 0.85.

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
        max_f: Literal["images", "pixels"] = "images",
    ) -> None:
        metrics = (Metric("mean_iou", True, "%"), Metric("max_f", True, "%"))
        size = 3 * THRESHOLDS + (2 * len(TWICE_SQUASHED) + 1 if max_f == "pixels" else 0) + 1
        super().__init__(metrics, size, pos_weight, aggregation, normalise, loss_scale)
        check_choice("max_f", max_f, ("images", "pixels"))
        self.max_f = max_f

    def sums(self, output: Float[Tensor, "batch 1 height width"], target: Tensor) -> Float[Tensor, "size"]:
        positive, valid = binary(output, target)
        thresholds = torch.arange(4, 4 + THRESHOLDS, dtype=torch.float64, device=output.device) / 20
        false, true = reached(output, positive, valid, thresholds).double().unbind(1)
        salient = positive.sum(dim=(1, 2, 3)).unsqueeze(1)
        iou = torch.where(salient + false > 0, true / (salient + false).clamp(min=1), 1.0)
        scores = torch.stack([iou, true / (true + false).clamp(min=1), true / salient.clamp(min=1)], dim=1)
        counted = valid.any(dim=3).any(dim=2).double()
        pixels = []
        if self.max_f == "pixels":
            counts = reached(output, positive, valid, _squashed(output.device)).double().sum(0)
            pixels = [counts.flatten(), salient.sum(0).double()]
        return torch.cat([(scores.flatten(1) * counted).sum(0), *pixels, counted.sum(0)])

    def summary(self, sums: Float[Tensor, "size"]) -> Float[Tensor, "2"]:
        iou, precision, recall = (sums[: 3 * THRESHOLDS] / sums[-1]).view(3, THRESHOLDS)
        f = 2 * precision * recall / (precision + recall + 1e-12)  # 0 where both are, as released
        if self.max_f == "pixels":
            false, true = sums[3 * THRESHOLDS : -2].view(2, len(TWICE_SQUASHED))
            f = (1 + BETA_SQUARED) * true / (BETA_SQUARED * sums[-2] + true + false).clamp(min=1e-12)
        return 100 * torch.stack([iou.max(), f.max()])


@lru_cache
def _squashed(device: torch.device) -> Float[Tensor, "thresholds"]:
    """Made once: sending it to a GPU makes the host wait."""
    return torch.tensor(TWICE_SQUASHED, dtype=torch.float64, device=device)
