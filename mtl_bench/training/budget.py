"""How long a run trains, in a unit that is part of the protocol."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from mtl_bench.errors import BenchError, check_choices
from mtl_bench.step.counts import StepCounts


@dataclass(frozen=True)
class Budget:
    """`amount` epochs, batches, optimizer steps or passes; a schedule is stretched over it.

    `passes` compares methods at equal compute, `optimizer_steps` at equal updates. A run stops after the batch with
    which it reaches the amount. Raises BenchError for an unknown unit or a non-positive amount.
    """

    revision: ClassVar[int] = 1

    amount: float
    unit: Literal["epochs", "batches", "optimizer_steps", "passes"] = "epochs"

    def __post_init__(self) -> None:
        check_choices(self, "budget.")
        if not self.amount > 0:
            raise BenchError(f"The budget must be positive, got {self.amount} {self.unit}.")

    @property
    def foreseen(self) -> bool:
        """Whether the number of batches is known before; what steps and passes a batch costs, only training shows."""
        return self.unit in ("epochs", "batches")

    def progress(self, counts: StepCounts, steps_per_epoch: int) -> float:
        """Share used so far, 0 to 1."""
        used = counts.batches / steps_per_epoch if self.unit == "epochs" else counts.as_dict()[self.unit]
        return min(1.0, used / self.amount)

    def epochs(self, steps_per_epoch: int) -> int:
        """Nominal number of epochs (units other than epochs and batches: as if a batch cost one)."""
        return max(1, round(self.amount if self.unit == "epochs" else self.amount / steps_per_epoch))
