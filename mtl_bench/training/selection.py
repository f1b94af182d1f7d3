"""Selection rules: which evaluation a run is reported at."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from mtl_bench.errors import BenchError
from mtl_bench.records.reading import END

Metrics = dict[str, dict[str, float]]


@dataclass
class SelectionRule(ABC):
    """Decides at each validation whether the weights are worth keeping and whether the test split is evaluated now.

    The test split is never looked at to select.
    """

    revision: ClassVar[int] = 1

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    def averaged(self) -> int:
        """How many of the last evaluations are reported, as their mean."""
        return 1

    def scalar(self, val: Metrics) -> float | None:
        """How good a validation is, higher better; None for a rule that judges none."""
        return None

    def keeps(self, val: Metrics, earlier: list[Metrics]) -> bool:
        """Whether the weights behind `val` replace the kept ones."""
        return False

    def tests(self, remaining: int) -> bool:
        """Whether test is evaluated now, with `remaining` evaluations to come: a guess where batches cost unlike."""
        return remaining < self.averaged


@dataclass
class Last(SelectionRule):
    """The weights at the end of the budget."""

    @property
    def name(self) -> str:
        return END


@dataclass
class BestVal(SelectionRule):
    """The weights at the evaluation with the best validation `metric`, averaged over tasks; earlier wins ties.

    The best one is the largest, or the smallest where `higher_is_better` is false, as the metric itself must say.

    Raises BenchError at the first evaluation when there is no validation split or a task lacks the metric.
    """

    metric: str = "accuracy"
    higher_is_better: bool = True

    @property
    def name(self) -> str:
        return f"best_val({self.metric})"

    def scalar(self, val: Metrics) -> float:
        try:
            mean = sum(values[self.metric] for values in val.values()) / len(val)
        except (KeyError, ZeroDivisionError):
            raise BenchError(
                f"Selection {self.name} needs a validation split and the metric {self.metric!r} in every task; "
                "set protocol.training.val=held_out or choose another rule."
            ) from None
        if math.isnan(mean):
            return -math.inf  # a diverged evaluation is never the best one
        return mean if self.higher_is_better else -mean

    def keeps(self, val: Metrics, earlier: list[Metrics]) -> bool:
        now = self.scalar(val)
        return all(now > self.scalar(former) for former in earlier)

    def tests(self, remaining: int) -> bool:
        return False  # once, after training, with the kept weights


@dataclass
class MeanLastK(SelectionRule):
    """Mean of the test metrics over the last `k` evaluations (NYUv2 tables: k = 10 epochs)."""

    k: int = 10

    def __post_init__(self) -> None:
        if self.k < 1:
            raise BenchError(
                f"Selection MeanLastK averages the last k evaluations; k must be at least 1, got {self.k}."
            )

    @property
    def name(self) -> str:
        return f"mean_last_{self.k}"

    @property
    def averaged(self) -> int:
        return self.k


def mean_metrics(found: list[Metrics]) -> Metrics:
    """Metric by metric mean over evaluations."""
    return {
        task: {name: sum(one[task][name] for one in found) / len(found) for name in metrics}
        for task, metrics in found[0].items()
    }
