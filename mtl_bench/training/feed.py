"""Training batches, one after another."""

from collections.abc import Mapping

from mtl_bench.data.augmentation import Chain
from mtl_bench.data.order import Batches
from mtl_bench.data.split import Batch, Split
from mtl_bench.tasks import Task
from mtl_bench.training.labels import Question, ask


class Feed:
    """The split that is trained on, in which order and how it is augmented: pure functions of epoch and position.

    On a GPU the next batch is made before the step of this one, so that what its tasks say of it (`ask`) has reached
    the host when it is needed, and no step waits.
    """

    def __init__(self, split: Split, batches: Batches, chain: Chain, tasks: Mapping[str, Task]) -> None:
        self.split, self.batches, self.chain, self.tasks = split, batches, chain, tasks
        self._ahead: tuple[tuple[int, int], Question] | None = None

    @property
    def per_epoch(self) -> int:
        return self.batches.per_epoch

    def batch(self, epoch: int, position: int) -> Batch:
        place, ahead, self._ahead = (epoch, position), self._ahead, None
        question = ahead[1] if ahead is not None and ahead[0] == place else self._make(*place)
        if question.event is not None and position + 1 < self.per_epoch:
            self._ahead = (epoch, position + 1), self._make(epoch, position + 1)
        return question.answer()

    def _make(self, epoch: int, position: int) -> Question:
        """Announces the batch after it to the store, too."""
        found = self.split.batch(self.batches.indices(epoch, position), self.chain.at(epoch, position))
        if position + 1 < self.per_epoch:
            self.split.prefetch(self.batches.indices(epoch, position + 1))
        return ask(found, self.tasks)
