"""The contract of a task."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtl_bench.errors import BenchError

Normalise = Literal["valid", "all"]


@dataclass(frozen=True)
class Metric:
    """One reported number of a task, which way is better, and its unit."""

    name: str
    higher_is_better: bool
    unit: str


class Task(ABC):
    """A loss and metrics over a head's output and the target field of the same name.

    `outputs` is the number of output channels of its head; `labels` the number of classes that a stored label may name;
    `totals` the length of the float64 vector in which metrics accumulate on the device, so that one evaluation costs
    one copy to the host, whatever the number of batches.

    `normalise` says what the sum of the losses is divided by: the valid elements, or all of them (which shrinks
    sparsely labelled tasks by their label rate, as released partial-label and masked code does). `loss_scale`
    multiplies the loss and nothing else: metrics stay, and a method that ignores the scale of a loss must not notice.

    Raises BenchError for an unknown `normalise` and a `loss_scale` that is not above 0.
    """

    revision: ClassVar[int] = 1
    likelihood: ClassVar[Literal["classification", "regression"]]
    metrics: tuple[Metric, ...]
    outputs: int
    totals: int
    normalise: Normalise = "valid"
    loss_scale: float = 1.0

    def __init__(self, normalise: Normalise = "valid", loss_scale: float = 1.0) -> None:
        check_choice("normalise", normalise, get_args(Normalise))
        if not 0 < loss_scale < math.inf:
            raise BenchError(f"loss_scale must be above 0 and finite, got {loss_scale}.")
        self.normalise = normalise
        self.loss_scale = loss_scale

    @property
    def labels(self) -> int:
        return self.outputs

    @abstractmethod
    def loss(self, output: Tensor, target: Tensor) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
        """Sum of the losses over valid elements, and what to divide it by.

        The caller divides once, after adding both over processes; an empty mask gives (0, 0).
        """

    def valid(self, target: Tensor) -> Bool[Tensor, "batch *elements"]:
        """Which elements of a target count: no NaN, and no negative class. Loss and metrics must say the same."""
        return ~target.isnan() if target.is_floating_point() else target >= 0

    def labelled(self, target: Tensor) -> Bool[Tensor, "batch"]:
        """Which samples of a (decoded, augmented) batch have a label of this task; nothing waits for the device."""
        return self.valid(target).flatten(1).any(dim=1) if target.ndim > 1 else self.valid(target)

    @abstractmethod
    def measure(self, output: Tensor, target: Tensor) -> Float[Tensor, "totals"]:
        """What one batch adds to the totals (float64, on the device of `output`)."""

    @abstractmethod
    def values(self, totals: Sequence[float]) -> dict[str, float]:
        """Metrics from the totals of a whole evaluation, by metric name."""

    def reduced(
        self, total: Float[Tensor, ""], valid: Bool[Tensor, "*elements"]
    ) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
        """What `loss` returns for a sum over the valid elements, by `loss_scale` and `normalise`."""
        counted = valid if self.normalise == "valid" else torch.ones_like(valid)
        return total if self.loss_scale == 1 else self.loss_scale * total, counted.sum()


def check_classes(output: Float[Tensor, "batch classes *shape"], target: Int[Tensor, "batch *shape"]) -> None:
    """Raises BenchError for targets that are no class numbers, or not one where the output has its scores."""
    if target.is_floating_point() or target.shape != output.shape[:1] + output.shape[2:]:
        raise BenchError(
            f"The target of a classification holds whole numbers, one class for all {output.shape[1]} scores: "
            f"{list(output.shape[2:])} per sample, got {list(target.shape[1:])} of {target.dtype}; store the number of "
            "the class with the encoding `class` instead of one-hot or soft labels."
        )


def check_choice(name: str, given: Any, known: Sequence[str]) -> None:
    """Raises BenchError for an option's value that is not one of the known ones."""
    if given not in known:
        raise BenchError(f"{name} is {' or '.join(f'`{choice}`' for choice in known)}, got {given!r}.")
