"""Depth and normals of Taskonomy as sel-update-mtl scores them, as released or as meant."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtl_bench.tasks.base import Metric, Normalise, check_choice
from mtl_bench.tasks.dense import Aggregation, check_shapes
from mtl_bench.tasks.encodings import HeadUnits
from mtl_bench.tasks.reported_loss import LossRegression

SHORTEST = 1e-6  # added to lengths, as released
STEPS = 512  # stored numbers per metre of depth


class LossDepth(LossRegression):
    """L1 or squared error of depth in metres that reports its loss and `rescaled_rmse`, sel-update-mtl's RMSE.

    `rescaled_rmse` is √ mean (s(p) - s(g))² with s(x) = 40·((ln(512·x) / 11.09 - 0.64) / 0.18 + 1), clamped to
    [1, 80]: no metres, and blind to what is nearer than 0.34 m or farther than 17.4 m.

    Raises what `LossRegression` raises.
    """

    def __init__(
        self,
        error: Literal["l1", "mse"] = "l1",
        encoding: HeadUnits | None = None,
        unit: str = "m",
        aggregation: Aggregation = "pooled",
        normalise: Normalise = "valid",
        loss_scale: float = 1.0,
    ) -> None:
        super().__init__(1, error, unit, encoding, False, aggregation, normalise, loss_scale)
        self.metrics = (Metric("rescaled_rmse", False, ""), *self.metrics)
        self.totals += 1

    def sums(
        self, output: Float[Tensor, "batch 1 height width"], target: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "size"]:
        valid = self.valid(target)
        apart = rescaled(self.decoded(output)) - rescaled(target.double())
        return torch.cat([torch.where(valid, apart, 0.0).square().sum()[None], super().sums(output, target)])

    def summary(self, sums: Float[Tensor, "size"]) -> Float[Tensor, "4"]:
        return torch.cat([(sums[0] / sums[-1]).sqrt()[None], super().summary(sums[1:])])


class LossNormals(LossRegression):
    """1 - cosine of Taskonomy's normals, whose mae is of the plain output, as sel-update-mtl reports it.

    `axis: components` takes the cosine of the three components of a pixel. `width` takes it, as that code does, of the
    numbers in a row of one component, which is no angle of anything. Pixels without a normal count as zero there. The
    prediction is scored as it is, not brought to length 1; 1e-6 is added to lengths.

    Raises what `LossRegression` raises, and BenchError for another axis.
    """

    def __init__(
        self,
        axis: Literal["components", "width"] = "components",
        aggregation: Aggregation = "pooled",
        normalise: Normalise = "valid",
        loss_scale: float = 1.0,
    ) -> None:
        check_choice("axis", axis, ("components", "width"))
        super().__init__(3, "l1", "", None, False, aggregation, normalise, loss_scale)
        self.axis = axis

    def errors(
        self, output: Float[Tensor, "batch 3 height width"], target: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch errors height _"], Bool[Tensor, "batch #errors height _"]]:
        check_shapes(output, target)
        valid = self.valid(target)
        output, target = torch.where(valid, output, 0.0), torch.where(valid, target, 0.0)
        axis = 1 if self.axis == "components" else 3
        lengths = [vectors.norm(dim=axis, keepdim=True) + SHORTEST for vectors in (output, target)]
        cosines = (output * target).sum(dim=axis, keepdim=True) / lengths[0] / lengths[1]
        counted = valid if axis == 1 else valid.any(dim=3, keepdim=True)
        return torch.where(counted, 1 - cosines, 0.0), counted


def rescaled(depth: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Metres as sel-update-mtl's RMSE has them; what is not above 0 becomes the lowest."""
    logarithm = (STEPS * depth.clamp(min=0)).log() / 11.09
    return (((logarithm - 0.64) / 0.18 + 1) / 2 * 80).clamp(1, 80)
