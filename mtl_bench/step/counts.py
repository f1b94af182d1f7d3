"""What a run has spent, in the units methods' costs are compared in."""

from dataclasses import asdict, dataclass


@dataclass
class StepCounts:
    """Batches, forwards, backwards, passes and optimizer steps; a part of a split batch counts its share of a pass.

    Passes are nominal: a forward through the encoder is 1 (one per task with K paths), `backward` 1 (one per task with
    K paths), `gradients` k, or 1 at the features or the last layer. Lookaheads and forwards without a graph count; the
    steps of a trial are not optimizer steps.
    """

    batches: int = 0
    forwards: int = 0
    backwards: int = 0
    passes: float = 0.0
    optimizer_steps: int = 0

    def as_dict(self) -> dict[str, float]:
        return asdict(self)
