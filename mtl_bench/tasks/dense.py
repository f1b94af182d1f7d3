"""What the tasks with one prediction per pixel share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.tasks.base import Metric, Normalise, Task, check_choice

Aggregation = Literal["pooled", "batch_mean"]


class DenseTask(Task):
    """Errors per pixel make the loss, sums over pixels make the metrics.

    `aggregation` is part of a protocol, because papers differ: `pooled` adds the sums of all batches and computes every
    metric once, over the pixels of the whole split. `batch_mean` computes it per evaluation batch and averages these
    values over the batches that have a valid pixel, as the released code of MTAN, CAGrad, Nash-MTL and FAMO does for
    depth and normals: batches with few valid pixels and a short last batch weigh as much as any, and the number moves
    with the evaluation batch size, that of a median or a root most.

    A subclass gives `errors`, `sums` (`size` of them, the last one the number of valid pixels) and `summary`.
    Nothing here waits for the device: no boolean indexing, no read of a value.

    Raises BenchError for an unknown aggregation, and in `values` when no pixel was valid.
    """

    def __init__(
        self, metrics: Sequence[Metric], size: int, aggregation: Aggregation, normalise: Normalise, loss_scale: float
    ) -> None:
        super().__init__(normalise, loss_scale)
        check_choice("aggregation", aggregation, get_args(Aggregation))
        self.metrics = tuple(metrics)
        self.aggregation = aggregation
        self.totals = size if aggregation == "pooled" else len(self.metrics) + 1

    @abstractmethod
    def errors(
        self, output: Tensor, target: Tensor
    ) -> tuple[Float[Tensor, "batch errors height width"], Bool[Tensor, "batch #errors height width"]]:
        """Loss terms, zero and without gradient where a pixel is not valid, and which pixels are."""

    @abstractmethod
    def sums(self, output: Tensor, target: Tensor) -> Float[Tensor, "size"]:
        """What the metrics need of one batch, in float64; the last number is the count of valid pixels."""

    @abstractmethod
    def summary(self, sums: Float[Tensor, "size"]) -> Float[Tensor, "metrics"]:
        """Metrics from sums, in the order of `metrics`; any value where there was no valid pixel."""

    def loss(self, output: Tensor, target: Tensor) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
        errors, valid = self.errors(output, target)
        return self.reduced(errors.sum(), valid.expand_as(errors))

    def measure(self, output: Tensor, target: Tensor) -> Float[Tensor, "totals"]:
        sums = self.sums(output, target)
        if self.aggregation == "pooled":
            return sums
        values = torch.cat([self.summary(sums), torch.ones_like(sums[-1:])])
        return torch.where(sums[-1] > 0, values, 0.0)

    def values(self, totals: Sequence[float]) -> dict[str, float]:
        if not totals[-1]:
            raise BenchError(
                f"An evaluation saw no valid pixel of a {type(self).__name__} task; check its split and its masks."
            )
        found = torch.tensor(totals, dtype=torch.float64)
        values = self.summary(found) if self.aggregation == "pooled" else found[:-1] / found[-1]
        return dict(zip((metric.name for metric in self.metrics), values.tolist(), strict=True))


def check_shapes(output: Tensor, target: Tensor) -> None:
    """Raises BenchError where broadcasting would compare what does not belong together."""
    if output.shape != target.shape:
        raise BenchError(
            f"A head gives {list(output.shape[1:])} per sample, but its target is {list(target.shape[1:])}; both must "
            "be [channels, height, width] of one size."
        )


def tally(index: Int[Tensor, "*shape"], valid: Bool[Tensor, "*shape"], size: int) -> Int[Tensor, "size"]:
    """How many valid elements have each index in 0 … size - 1.

    A scatter, because `bincount` and boolean indexing wait for the device; of integers, because their sums do not
    depend on the order of the additions.
    """
    counts = torch.zeros(size, dtype=torch.int64, device=index.device)
    return counts.scatter_add_(0, torch.where(valid, index, 0).flatten(), valid.flatten().long())
