"""Distance from the camera per pixel."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtl_bench.tasks.base import Metric, Normalise
from mtl_bench.tasks.dense import Aggregation
from mtl_bench.tasks.dense_regression import DenseRegression
from mtl_bench.tasks.encodings import HeadUnits


class Depth(DenseRegression):
    """L1 or squared error in the units of `encoding`; metrics abs_err and rmse in `unit`, and rel_err (a ratio).

    With p the decoded prediction and g the depth of a valid pixel: abs_err = mean |p - g|, rel_err = mean |p - g| / g,
    rmse = √ mean (p - g)². A pixel is valid where g is above 0: released files mark missing depth by 0, packed ones by
    NaN. Where depth is inverse (Cityscapes as MTAN packed it) give its `unit`; rel_err then divides by values near 0
    and is as noisy as the published one.

    Deviation: the NYUD-MT code of ASTMT and Vandenhende et al. lifts predictions at or below 0 to 1e-9 before it takes
    the rmse, which can only lower it; here they count as they are.

    Raises what `DenseRegression` raises.
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
        super().__init__(1, error, unit, encoding, aggregation, normalise, loss_scale)
        self.metrics = (Metric("abs_err", False, unit), Metric("rel_err", False, ""), Metric("rmse", False, unit))
        self.totals = 4  # as many sums as metrics and their count

    def sums(
        self, output: Float[Tensor, "batch 1 height width"], target: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "4"]:
        valid = self.valid(target)
        depth = torch.where(valid, target.double(), 1.0)
        residual = self.residual(self.decoded(output), depth, valid)
        absolute = residual.abs()
        return torch.stack([absolute.sum(), (absolute / depth).sum(), residual.square().sum(), valid.sum()])

    def summary(self, sums: Float[Tensor, "4"]) -> Float[Tensor, "3"]:
        absolute, relative, squared = sums[:-1] / sums[-1]
        return torch.stack([absolute, relative, squared.sqrt()])

    def valid(self, target: Float[Tensor, "batch 1 height width"]) -> Bool[Tensor, "batch 1 height width"]:
        return target > 0
