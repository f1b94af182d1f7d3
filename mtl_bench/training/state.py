"""What a run has reached, beside the weights: the part of a checkpoint that people could read."""

from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from mtl_bench.records.record import Evaluation
from mtl_bench.step.counts import StepCounts
from mtl_bench.training.selection import Metrics


@dataclass
class RunState:
    """Position in the data, evaluations so far, time spent in training steps, and the weights that selection keeps."""

    epoch: int = 0
    position: int = 0  # batches of this epoch that are done
    seconds: float = 0.0
    evaluations: list[Evaluation] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)  # of the method, after each epoch
    kept: dict[str, Tensor] | None = None
    kept_at: int = -1  # index of the evaluation they come from
    started: str = ""

    @property
    def validations(self) -> list[Metrics]:
        return [evaluation["val"] for evaluation in self.evaluations]

    def as_dict(self, counts: StepCounts) -> dict[str, Any]:
        # not asdict(self): it would copy the kept weights once more
        return {**self.__dict__, "counts": asdict(counts)}

    @classmethod
    def restore(cls, saved: dict[str, Any]) -> "tuple[RunState, StepCounts]":
        saved = dict(saved)
        counts = StepCounts(**saved.pop("counts"))
        return cls(**saved), counts
