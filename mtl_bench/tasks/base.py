"""The contract of a task."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Metric:
    """One reported number of a task, which way is better, and its unit."""

    name: str
    higher_is_better: bool
    unit: str


class Task(ABC):
    """A loss and metrics over a head's output and the target field of the same name.

    `outputs` is the number of output channels of its head; `totals` the length of the float64 vector in which metrics
    accumulate on the device, so that one evaluation costs one copy to the host, whatever the number of batches.
    """

    revision: ClassVar[int] = 1
    likelihood: ClassVar[Literal["classification", "regression"]]
    metrics: tuple[Metric, ...]
    outputs: int
    totals: int

    @abstractmethod
    def loss(self, output: Tensor, target: Tensor) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
        """Sum of the losses over valid elements, and what to divide it by.

        The caller divides once, after adding both over processes; an empty mask gives (0, 0).
        """

    @abstractmethod
    def measure(self, output: Tensor, target: Tensor) -> Float[Tensor, "totals"]:
        """What one batch adds to the totals (float64, on the device of `output`)."""

    @abstractmethod
    def values(self, totals: Sequence[float]) -> dict[str, float]:
        """Metrics from the totals of a whole evaluation, by metric name."""
