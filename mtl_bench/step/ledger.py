"""What is counted while a run goes on, and what its last batch looked like."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtl_bench.step.counts import StepCounts
from mtl_bench.step.failures import FailureCount


class Ledger:
    """Lives as long as the run. Nothing here waits for the device."""

    def __init__(self, tasks: int, device: torch.device, dtype: torch.dtype) -> None:
        self.counts = StepCounts()
        self.failures = FailureCount(device)
        # task → the two vectors whose product at that position was its weight in the last update
        self.weights: dict[int, tuple[Tensor | None, Tensor | None, int]] = {}
        self._tasks = tasks
        self._missing = torch.full((), torch.nan, dtype=dtype, device=device)
        self._observed: list[tuple[tuple[int, ...], Tensor, float]] = []  # losses of this batch's forwards

    def forward(self, passes: int, share: float) -> None:
        self.counts.forwards += passes
        self.counts.passes += passes * share

    def backward(self, passes: int, share: float) -> None:
        self.counts.backwards += passes
        self.counts.passes += passes * share

    def stepped(self, finite: Bool[Tensor, ""]) -> None:
        self.counts.optimizer_steps += 1
        self.failures.add(finite)

    def used(self, tasks: Sequence[int], first: Tensor | None, second: Tensor | None) -> None:
        """Remember the weights that reached each task's gradient (their product), unread."""
        self.weights |= {task: (first, second, i) for i, task in enumerate(tasks)}

    def observed(self, tasks: Sequence[int], values: Float[Tensor, "k"], share: float) -> None:
        """Of a forward of this share of the batch, which no forward before has told losses of these tasks of."""
        self._observed.append((tuple(tasks), values, share))

    def forget(self) -> None:
        """The losses of a batch that came to nothing."""
        self._observed = []

    def batch_losses(self) -> Float[Tensor, "K"]:
        """Raw loss of each task at its first forward of this batch, the mean over the parts of a batch that was split;
        NaN where it has no label. Forgets them."""
        observed, self._observed = self._observed, []
        if len(observed) == 1 and len(observed[0][0]) == self._tasks:
            return observed[0][1]  # the common case: one forward of every task
        total, shares = [self._missing] * self._tasks, [0.0] * self._tasks
        for tasks, values, share in observed:
            for task, value in zip(tasks, values.unbind(), strict=True):
                total[task] = total[task] + share * value if shares[task] else share * value
                shares[task] += share
        return torch.stack([value / share if share else value for value, share in zip(total, shares, strict=True)])
