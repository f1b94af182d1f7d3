"""Direction of the surface per pixel."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtl_bench.tasks.base import Metric, Normalise, check_choice
from mtl_bench.tasks.dense import Aggregation, DenseTask, check_shapes, tally

RESOLUTION = 0.01  # degrees
BINS = round(180 / RESOLUTION)
WITHIN = (11.25, 22.5, 30.0)  # degrees, of every paper since Fouhey et al. 2013
SHORTEST = 1e-3  # of a prediction that is scaled to length 1


class Normals(DenseTask):
    """1 - cosine or L1 (`error`) of unit vectors; mean and median angle (°), share within 11.25°, 22.5°, 30° (%).

    The prediction is brought to length 1 in loss and metrics, the target too: stored in eight bits, or interpolated, it
    is not quite unit (released MTAN code leaves it so). NaN and the zero vector are no target. L1 is a mean over
    components, as in the NYUD-MT code. Angles are 2·atan2(|a - b|, |a + b|), exact at 0° where the arc cosine is not.

    The median is that of a histogram of 0.01° bins, within 0.01° of the exact one and the only form that needs no
    list of all pixels. In `batch_mean` it is the mean of the batches' medians. `quantise` scores predictions as the
    code of ASTMT and Vandenhende et al. does, which writes unit vectors into PNGs first: ⌊(n + 1)·255/2⌋, read back as
    2v/255 - 1 and made unit again; 0.34° away on average, 0.77° at most.

    Deviation: a prediction shorter than 0.001 is divided by 0.001 in the loss, so that the gradient stays finite at 0
    (‖∂(x/‖x‖)/∂x‖ = 1/‖x‖); the metrics take its direction, and 90° for none. MTAN's code takes for no target what sums
    to 0 over its components, and so the few vectors like (0.707, -0.707, 0), which count here.
    """

    likelihood: ClassVar[Literal["regression"]] = "regression"

    def __init__(
        self,
        error: Literal["cosine", "l1"] = "cosine",
        aggregation: Aggregation = "pooled",
        normalise: Normalise = "valid",
        loss_scale: float = 1.0,
        quantise: bool = False,
    ) -> None:
        shares = [Metric(f"within_{limit:g}", True, "%") for limit in WITHIN]
        metrics = [Metric("mean", False, "°"), Metric("median", False, "°"), *shares]
        super().__init__(metrics, BINS + 1 + len(WITHIN) + 1, aggregation, normalise, loss_scale)
        check_choice("error", error, ("cosine", "l1"))
        self.outputs = 3
        self.error = error
        self.quantise = quantise

    def valid(self, target: Float[Tensor, "batch 3 height width"]) -> Bool[Tensor, "batch 1 height width"]:
        return target.square().sum(dim=1, keepdim=True) > 0  # NaN is not above 0

    def errors(
        self, output: Float[Tensor, "batch 3 height width"], target: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch errors height width"], Bool[Tensor, "batch 1 height width"]]:
        target, valid = self.directions(output, target)
        predicted = _unit(torch.where(valid, output, 0.0), SHORTEST)
        if self.error == "l1":
            return torch.where(valid, predicted - target, 0.0).abs(), valid
        return torch.where(valid, 1 - (predicted * target).sum(dim=1, keepdim=True), 0.0), valid

    def sums(
        self, output: Float[Tensor, "batch 3 height width"], target: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "size"]:
        target, valid = self.directions(output, target.double())
        predicted = _unit(output.double())
        if self.quantise:
            predicted = _unit(((predicted + 1) * 127.5).floor() / 127.5 - 1)
        apart, along = (predicted - target).norm(dim=1, keepdim=True), (predicted + target).norm(dim=1, keepdim=True)
        angles = torch.where(valid, 2 * torch.atan2(apart, along).rad2deg(), 0.0)
        bins = (angles.nan_to_num(180.0) / RESOLUTION).long().clamp(max=BINS - 1)  # a NaN cannot be an index
        within = [((angles < limit) & valid).sum() for limit in WITHIN]
        return torch.cat([tally(bins, valid, BINS), torch.stack([angles.sum(), *within, valid.sum()])])

    def summary(self, sums: Float[Tensor, "size"]) -> Float[Tensor, "5"]:
        total, *within = sums[BINS:-1] / sums[-1]
        return torch.stack([total, histogram_median(sums[:BINS].long()), *(100 * share for share in within)])

    def directions(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Unit targets, zero where there is none, and where there is one."""
        check_shapes(output, target)
        valid = self.valid(target)
        return _unit(torch.where(valid, target, 0.0)), valid


def histogram_median(counts: Int[Tensor, "bins"]) -> Float[Tensor, ""]:
    """Mean of the centres of the bins that hold the two middle values (one of them twice where the count is odd)."""
    until = counts.cumsum(0)  # of integers: that of floats has no deterministic form on a GPU
    ranks = torch.stack([(until[-1] - 1) // 2, until[-1] // 2])
    return ((torch.searchsorted(until, ranks, right=True).double() + 0.5) * RESOLUTION).mean()


def _unit(vectors: Tensor, shortest: float = 1e-12) -> Tensor:
    return vectors / vectors.square().sum(dim=1, keepdim=True).clamp(min=shortest**2).sqrt()
