"""Model, optimizer and counters behind every step of a run."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import torch
from torch import nn

from mtl_bench.data.split import Batch
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.batch_step import BatchStep
from mtl_bench.step.engines.engine import engines
from mtl_bench.step.forward import Part
from mtl_bench.step.ledger import Ledger
from mtl_bench.step.means import Means
from mtl_bench.step.mover import Mover
from mtl_bench.step.ownership import ownership
from mtl_bench.step.parts import parts_by_label
from mtl_bench.step.reduce import Alone, Reduce
from mtl_bench.tasks import Task
from mtl_bench.training.labels import ask
from mtl_bench.training.model_forward import ModelForward


class Machine:
    """A model on its tasks and the means to train it; lives as long as the run, and makes the step of each batch.

    `held_out` gives the batch of the validation split that belongs to the n-th batch trained on (from 0).
    """

    def __init__(
        self,
        model: MultiTaskModel,
        tasks: Mapping[str, Task],
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,  # host
        device_generator: torch.Generator,
        device: torch.device,
        clip_norm: float | None = None,
        bn_updates: Literal["first", "all"] = "first",
        autocast: torch.dtype | None = None,
        reduce: Reduce | None = None,
        held_out: Callable[[int], Batch] | None = None,
    ) -> None:
        self.model, self.tasks, self.device, self.names = model, tasks, device, list(tasks)
        self.dtype = next(model.parameters()).dtype
        reduce = reduce or Alone()
        owners = ownership(
            model.shared_parameters(), [model.task_parameters(k).values() for k in range(len(self.names))]
        )
        self.shared, self.owned = owners.shared, owners.owned
        self.mover = Mover(optimizer, owners, model, device, generator, device_generator, clip_norm, bn_updates)
        self.forward = ModelForward(model, tasks, autocast, reduce, passed=self.mover.norms.end_pass)
        self.ledger = Ledger(len(self.names), device, self.dtype)
        rows = engines(owners, reduce, model.per_task_path, self.last_shared, model.sweeps_together)
        self.held_out = held_out
        self.means = Means(self.mover, self.ledger, rows, reduce, None if held_out is None else self._held_out)

    @property
    def last_shared(self) -> nn.Parameter | None:
        """Where a method may balance at: none if it is frozen."""
        last = self.model.last_shared
        return last if last is not None and last.requires_grad else None

    def step(
        self, batch: Batch, epoch: int = 0, progress: float = 0.0, kind: Callable[..., BatchStep] = BatchStep
    ) -> BatchStep:
        return kind(self._part(ask(batch, self.tasks).answer()), self.means, epoch, progress)

    def _held_out(self) -> Part:
        assert self.held_out is not None
        return self._part(ask(self.held_out(self.ledger.counts.batches), self.tasks).answer())

    def _part(self, batch: Batch) -> Part:
        def split(parts: int) -> list[Part]:
            return [self._part(batch.part(index)) for index in parts_by_label(batch.labelled, batch.size, parts)]

        return Part(self.forward.on(batch), batch_tasks(batch, len(self.names)), split)


def batch_tasks(batch: Batch, tasks: int) -> tuple[int, ...]:
    """Tasks with at least one label in the batch, as its table on the host says."""
    if batch.labelled is None:
        return tuple(range(tasks))
    return tuple(np.flatnonzero(batch.labelled.any(axis=0)).tolist())
