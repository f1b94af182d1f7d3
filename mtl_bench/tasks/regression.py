"""One or more real numbers per sample."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.tasks.base import Metric, Normalise, Task, check_choice


class Regression(Task):
    """L1 or squared error over `outputs` values; metrics mae and mse, averaged over labelled elements.

    NaN in the target is a missing value; it is selected away, never multiplied by zero (0 · NaN is NaN).
    `unit` is the unit of the target, shown with the metrics.

    Raises BenchError for an unknown kind of loss.
    """

    likelihood: ClassVar[Literal["regression"]] = "regression"
    totals = 3

    def __init__(
        self,
        outputs: int = 1,
        error: Literal["l1", "mse"] = "l1",
        unit: str = "",
        normalise: Normalise = "valid",
        loss_scale: float = 1.0,
    ) -> None:
        super().__init__(normalise, loss_scale)
        check_choice("error", error, ("l1", "mse"))
        self.outputs = outputs
        self.error = error
        self.metrics = (Metric("mae", False, unit), Metric("mse", False, f"{unit}²" if unit else ""))

    def loss(
        self, output: Float[Tensor, "batch values"], target: Float[Tensor, "batch values"]
    ) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
        residual, valid = self._residual(output, target)
        return self.reduced(residual.abs().sum() if self.error == "l1" else residual.square().sum(), valid)

    def measure(
        self, output: Float[Tensor, "batch values"], target: Float[Tensor, "batch values"]
    ) -> Float[Tensor, "3"]:
        residual, valid = self._residual(output.double(), target)
        return torch.stack([residual.abs().sum(), residual.square().sum(), valid.sum().double()])

    def values(self, totals: Sequence[float]) -> dict[str, float]:
        absolute, squared, count = totals
        if not count:
            raise BenchError("An evaluation saw no label of a regression task; check its split and label table.")
        return {"mae": absolute / count, "mse": squared / count}

    def _residual(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        target = target.reshape(output.shape)  # a scalar target per sample meets a head with one output
        valid = self.valid(target)  # before it becomes a number of the output's type: a code below 0 is no label
        zero = torch.zeros_like(output)
        return torch.where(valid, output - torch.where(valid, target, zero), zero), valid
