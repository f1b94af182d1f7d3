"""One or more real numbers per sample."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.tasks.base import Metric, Task


class Regression(Task):
    """L1 or squared error over `outputs` values; metrics mae and mse, averaged over labelled elements.

    NaN in the target is a missing value; it is selected away, never multiplied by zero (0 · NaN is NaN).
    `unit` is the unit of the target, shown with the metrics. `normalise` as in `Classification`.

    Raises BenchError for an unknown kind of loss.
    """

    likelihood: ClassVar[Literal["regression"]] = "regression"
    totals = 3

    def __init__(
        self,
        outputs: int = 1,
        error: Literal["l1", "mse"] = "l1",
        unit: str = "",
        normalise: Literal["valid", "all"] = "valid",
    ) -> None:
        if error not in ("l1", "mse"):
            raise BenchError(f"A regression task's error is `l1` or `mse`, got {error!r}.")
        if normalise not in ("valid", "all"):
            raise BenchError(f"normalise is `valid` or `all`, got {normalise!r}.")
        self.outputs = outputs
        self.error = error
        self.normalise = normalise
        self.metrics = (Metric("mae", False, unit), Metric("mse", False, f"{unit}²" if unit else ""))

    def loss(
        self, output: Float[Tensor, "batch values"], target: Float[Tensor, "batch values"]
    ) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
        residual, valid = _residual(output, target)
        total = residual.abs().sum() if self.error == "l1" else residual.square().sum()
        return total, (valid if self.normalise == "valid" else torch.ones_like(valid)).sum()

    def measure(
        self, output: Float[Tensor, "batch values"], target: Float[Tensor, "batch values"]
    ) -> Float[Tensor, "3"]:
        residual, valid = _residual(output.double(), target.double())
        return torch.stack([residual.abs().sum(), residual.square().sum(), valid.sum().double()])

    def values(self, totals: Sequence[float]) -> dict[str, float]:
        absolute, squared, count = totals
        if not count:
            raise BenchError("An evaluation saw no label of a regression task; check its split and label table.")
        return {"mae": absolute / count, "mse": squared / count}


def _residual(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    target = target.reshape(output.shape)  # a scalar target per sample meets a head with one output
    valid = ~target.isnan()
    zero = torch.zeros_like(output)
    return torch.where(valid, output - torch.where(valid, target, zero), zero), valid
