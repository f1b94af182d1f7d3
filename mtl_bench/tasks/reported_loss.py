"""Tasks that report their loss, as tables on Taskonomy do."""

from itertools import product
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.tasks.base import Metric, Normalise
from mtl_bench.tasks.dense import Aggregation, DenseTask
from mtl_bench.tasks.dense_regression import DenseRegression
from mtl_bench.tasks.encodings import HeadUnits
from mtl_bench.tasks.segmentation import Segmentation

MOVES = 3  # along an axis: back, none, forward


class ReportsLoss(DenseTask):
    """Adds the metric `loss`, the mean loss in the units of the head: divided as the loss is, without `loss_scale`.

    Stands before a dense task among the bases of a class.
    """

    def report_loss(self) -> None:
        """At the end of the constructor."""
        self.metrics = (*self.metrics, Metric("loss", False, ""))
        self.totals += 2 if self.aggregation == "pooled" else 1

    def sums(self, output: Tensor, target: Tensor) -> Float[Tensor, "size"]:
        total, count = self.loss(output.double(), target)
        *others, valid = super().sums(output, target).double().unbind()  # type: ignore[safe-super]
        return torch.stack([*others, total / self.loss_scale, count.double(), valid])

    def summary(self, sums: Float[Tensor, "size"]) -> Float[Tensor, "metrics"]:
        *others, total, count, valid = sums.unbind()
        found = super().summary(torch.stack([*others, valid]))  # type: ignore[safe-super]
        return torch.cat([found, (total / count)[None]])


class LossSegmentation(ReportsLoss, Segmentation):
    """`Segmentation` that reports its loss as well.

    Raises what `Segmentation` raises.
    """

    def __init__(
        self,
        classes: int,
        absent: Literal["skip", "zero"] = "skip",
        aggregation: Aggregation = "pooled",
        normalise: Normalise = "valid",
        loss_scale: float = 1.0,
    ) -> None:
        super().__init__(classes, absent, aggregation, normalise, loss_scale)
        self.report_loss()


class LossRegression(ReportsLoss, DenseRegression):
    """`DenseRegression` that reports its loss as well.

    `shifts: true` forgives a picture that lies one pixel off (Standley et al. 2020, "rotate loss"): of every image the
    smallest loss counts among those of the prediction moved by -1, 0 or 1 rows and columns, the same for all pixels and
    channels; the outermost pixels of the target, which not every move has, count for nothing. mae and rmse forgive
    nothing.

    Raises what `DenseRegression` raises, and BenchError for `shifts` of maps below 3 × 3.
    """

    def __init__(
        self,
        outputs: int = 1,
        error: Literal["l1", "mse"] = "l1",
        unit: str = "",
        encoding: HeadUnits | None = None,
        shifts: bool = False,
        aggregation: Aggregation = "pooled",
        normalise: Normalise = "valid",
        loss_scale: float = 1.0,
    ) -> None:
        super().__init__(outputs, error, unit, encoding, aggregation, normalise, loss_scale)
        self.shifts = shifts
        self.report_loss()

    def labelled(self, target: Float[Tensor, "batch outputs height width"]) -> Bool[Tensor, "batch"]:
        return super().labelled(target[..., 1:-1, 1:-1] if self.shifts else target)

    def errors(
        self, output: Float[Tensor, "batch outputs height width"], target: Float[Tensor, "batch outputs height width"]
    ) -> tuple[Float[Tensor, "batch outputs h w"], Bool[Tensor, "batch 1 h w"]]:
        if not self.shifts:
            return super().errors(output, target)
        height, width = (size - MOVES + 1 for size in target.shape[2:])
        if min(height, width) < 1:
            raise BenchError(f"shifts move maps of at least 3 × 3 pixels; these are {list(target.shape[2:])}.")
        inner = target[..., 1:-1, 1:-1]
        with torch.no_grad():
            sums = [
                super(LossRegression, self).errors(output[..., down : down + height, right : right + width], inner)[0]
                for down, right in product(range(MOVES), repeat=2)
            ]
            best = torch.stack([one.flatten(1).sum(1) for one in sums]).argmin(dim=0)
        rows = (best // MOVES)[:, None] + torch.arange(height, device=best.device)
        cols = (best % MOVES)[:, None] + torch.arange(width, device=best.device)
        shape = output.shape
        moved = output.gather(2, rows[:, None, :, None].expand(-1, shape[1], -1, shape[3]))
        return super().errors(moved.gather(3, cols[:, None, None].expand(-1, shape[1], height, -1)), inner)
