"""Which samples form which batch: a pure function of seed, epoch and position, so a run can resume anywhere."""

import torch
from jaxtyping import Int64
from torch import Tensor

from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError
from mtl_bench.streams import stream_seed


def epoch_order(size: int, seed: int, epoch: int, stream: str = "order") -> Int64[Tensor, "size"]:
    """A permutation of all samples, from a stream of its own by name: no other draw of a run can shift it."""
    generator = torch.Generator().manual_seed(stream_seed(stream, seed, epoch))
    return torch.randperm(size, generator=generator)


class Batches:
    """The batches of every epoch of one run; `per_epoch` counts them, `smallest` has the fewest samples.

    `stream` names the random stream of their order.

    Raises BenchError when the batch size is not positive, or so large that `drop_last` would leave no batch.
    """

    def __init__(self, split: Split, batch_size: int, drop_last: bool, seed: int, stream: str = "order") -> None:
        if batch_size < 1:
            raise BenchError(f"The batch size must be at least 1, got {batch_size}.")
        if drop_last and batch_size > split.size:
            raise BenchError(
                f"A batch of {batch_size} is larger than the {split.size} training samples, and drop_last leaves none; "
                "lower the batch size or set drop_last=false."
            )
        self.size, self.batch_size, self.seed, self.stream = split.size, batch_size, seed, stream
        self.per_epoch = split.size // batch_size if drop_last else -(-split.size // batch_size)
        rest = 0 if drop_last else split.size % batch_size
        self.smallest = rest or batch_size
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))

    def indices(self, epoch: int, position: int) -> Int64[Tensor, "batch"]:
        """Samples of batch `position` (0 … per_epoch - 1) of an epoch."""
        if self._order[0] != epoch:
            self._order = (epoch, epoch_order(self.size, self.seed, epoch, self.stream))
        start = position * self.batch_size
        return self._order[1][start : start + self.batch_size]
