"""Training batches, one after another."""

from dataclasses import dataclass

from mtl_bench.data.augmentation import Pipeline
from mtl_bench.data.order import Batches
from mtl_bench.data.split import Batch, Split


@dataclass(frozen=True)
class Feed:
    """The split that is trained on, in which order and how it is augmented: pure functions of epoch and position."""

    split: Split
    batches: Batches
    pipeline: Pipeline

    @property
    def per_epoch(self) -> int:
        return self.batches.per_epoch

    def batch(self, epoch: int, position: int) -> Batch:
        """Announces the one after it, too."""
        found = self.split.batch(self.batches.indices(epoch, position), self.pipeline.at(epoch, position))
        if position + 1 < self.per_epoch:
            self.split.prefetch(self.batches.indices(epoch, position + 1))
        return found
