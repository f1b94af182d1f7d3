"""Real numbers per pixel."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.tasks.base import Metric, Normalise, check_choice
from mtl_bench.tasks.dense import Aggregation, DenseTask, check_shapes
from mtl_bench.tasks.encodings import HeadUnits


class DenseRegression(DenseTask):
    """L1 or squared error over `outputs` channels in the units of `encoding`; metrics mae and rmse in `unit`.

    The head's output is in encoded units: the loss encodes the target, the metrics decode the output and compare it
    with the target as it lies in the data. A pixel is valid when none of its channels is NaN. Loss and metrics are
    means over the elements of valid pixels, channels included.

    Raises BenchError for an unknown kind of loss, or an encoding of another number of channels.
    """

    likelihood: ClassVar[Literal["regression"]] = "regression"

    def __init__(
        self,
        outputs: int = 1,
        error: Literal["l1", "mse"] = "l1",
        unit: str = "",
        encoding: HeadUnits | None = None,
        aggregation: Aggregation = "pooled",
        normalise: Normalise = "valid",
        loss_scale: float = 1.0,
    ) -> None:
        metrics = (Metric("mae", False, unit), Metric("rmse", False, unit))
        super().__init__(metrics, 3, aggregation, normalise, loss_scale)
        check_choice("error", error, ("l1", "mse"))
        for name in ("shift", "scale"):
            given = getattr(encoding, name, None)
            if isinstance(given, list) and len(given) != outputs:
                raise BenchError(
                    f"The encoding's {name} has {len(given)} numbers for {outputs} outputs; give one each."
                )
        self.outputs = outputs
        self.error = error
        self.encoding = encoding

    def errors(
        self, output: Float[Tensor, "batch outputs height width"], target: Float[Tensor, "batch outputs height width"]
    ) -> tuple[Float[Tensor, "batch outputs height width"], Bool[Tensor, "batch 1 height width"]]:
        valid = self.valid(target)
        residual = self.residual(output, self.encoding.encode(target) if self.encoding else target, valid)
        return residual.abs() if self.error == "l1" else residual.square(), valid

    def sums(
        self, output: Float[Tensor, "batch outputs height width"], target: Float[Tensor, "batch outputs height width"]
    ) -> Float[Tensor, "3"]:
        valid = self.valid(target)
        residual = self.residual(self.decoded(output), target.double(), valid)
        return torch.stack([residual.abs().sum(), residual.square().sum(), self.outputs * valid.sum()])

    def summary(self, sums: Float[Tensor, "3"]) -> Float[Tensor, "2"]:
        absolute, squared, count = sums.unbind()
        return torch.stack([absolute / count, (squared / count).sqrt()])

    def valid(self, target: Float[Tensor, "batch outputs height width"]) -> Bool[Tensor, "batch 1 height width"]:
        return super().valid(target).all(dim=1, keepdim=True)

    def decoded(self, output: Float[Tensor, "batch outputs height width"]) -> Tensor:
        return self.encoding.decode(output.double()) if self.encoding else output.double()

    def residual(self, output: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """The selection follows a difference, through which no gradient is multiplied: NaN cannot enter it."""
        check_shapes(output, target)
        return torch.where(valid, output - target, 0.0)
