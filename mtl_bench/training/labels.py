"""Which samples of a batch are labelled for which task, asked of the tasks themselves.

The packed data know which samples carry a label. What a map still shows after a crop, or that a depth of 0 is none,
only the task can say, of the targets as they are trained on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from mtl_bench.data.split import Batch
from mtl_bench.tasks import BinaryClassification, Task

MAP = 3  # axes of a target that a crop may leave without a label; of fewer the data know, or the task says itself


def _says_itself(task: Task, target: Tensor) -> bool:
    """What else means no label (an age of 0, or -1 among the numbers of a yes or no), the packed data do not know."""
    known = (Task.valid,) if target.is_floating_point() else (Task.valid, BinaryClassification.valid)
    return type(task).valid not in known or type(task).labelled is not Task.labelled


@dataclass
class Question:
    """A batch, and on its way to the host what its tasks say of it."""

    batch: Batch
    names: list[str]
    flags: Bool[Tensor, "asked batch"] | None  # of the tasks whose targets are maps
    event: torch.cuda.Event | None

    def answer(self) -> Batch:
        """The batch with its labels; waits until they have arrived."""
        if self.flags is None:
            return replace(self.batch, asked=True)
        if self.event is not None:
            self.event.synchronize()
        table = np.ones((self.batch.size, len(self.batch.targets)), dtype=bool)
        if self.batch.labelled is not None:
            table &= self.batch.labelled
        for name, column in zip(self.names, self.flags.numpy(), strict=True):
            table[:, list(self.batch.targets).index(name)] = column
        return replace(self.batch, labelled=None if table.all() else table, asked=True)


def ask(batch: Batch, tasks: Mapping[str, Task]) -> Question:
    """Nothing waits: on a GPU the flags are copied while the host goes on."""
    targets = batch.targets
    names = [n for n, task in tasks.items() if targets[n].ndim >= MAP or _says_itself(task, targets[n])]
    if batch.asked or not names:
        return Question(batch, names, None, None)
    flags = torch.stack([tasks[name].labelled(targets[name]) for name in names])
    if flags.device.type != "cuda":
        return Question(batch, names, flags, None)
    host = torch.empty(flags.shape, dtype=torch.bool, pin_memory=True)
    host.copy_(flags, non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    return Question(batch, names, host, event)
