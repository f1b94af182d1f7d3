"""The step of one batch: what a method is handed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.methods.gradients.feature import feature_rows
from mtl_bench.methods.gradients.flat import flat_rows
from mtl_bench.methods.gradients.graph import Graph
from mtl_bench.methods.interface import Level, Step, TaskGradients, TaskLosses
from mtl_bench.training.parts import parts_by_label

if TYPE_CHECKING:
    from mtl_bench.training.machine import Machine


class BatchStep:
    """`mtl_bench.methods.interface.Step` over one batch (or part of one: `share` < 1) on a `Machine`."""

    def __init__(self, machine: "Machine", batch: Batch, epoch: int, progress: float, share: float = 1.0) -> None:
        self.machine = machine
        self.batch = batch
        self.epoch = epoch
        self.progress = progress
        self.share = share
        self.tasks = batch_tasks(batch, len(machine.tasks))
        self.generator = machine.generator
        self.device_generator = machine.device_generator
        self._dropout: Tensor | None = None  # random state before the last forward with a graph
        self._fresh = True  # norms are switched on at the first forward, also of each part of a split

    @property
    def lr(self) -> float:
        return float(self.machine.optimizer.param_groups[0]["lr"])

    def losses(self, tasks: Sequence[int] | None = None, *, grad: bool | Sequence[int] = True) -> TaskLosses:
        chosen = self.tasks if tasks is None else tuple(task for task in sorted(tasks) if task in self.tasks)
        with_graph = frozenset(chosen if grad is True else () if grad is False else grad) & frozenset(chosen)
        if self._fresh:
            self.machine.norms.new_batch()
            self._fresh = False
        with self.machine.dropout_of(self._dropout if grad is False else None) as before:
            if grad is not False:
                self._dropout = before
            graph, values = self.machine.forward(self.batch, chosen, with_graph)
        passes = len(chosen) if self.machine.model.per_task_path else 1
        self.machine.count(forwards=passes, passes=passes * self.share)
        return TaskLosses(chosen, values, graph if with_graph else None)

    def backward(self, losses: TaskLosses, weights: Float[Tensor, "k"]) -> None:
        graph = self._spend(losses)
        chosen = [(i, task) for i, task in enumerate(losses.tasks) if task in graph.terms]
        terms = [graph.terms[task] for _, task in chosen]
        kept = weights if len(chosen) == len(losses.tasks) else torch.stack([weights[i] for i, _ in chosen])
        torch.autograd.backward(terms, [*kept.detach().to(terms[0], non_blocking=True)])
        self.machine.used(tuple(task for _, task in chosen), kept, None)
        passes = len(chosen) if self.machine.model.per_task_path else 1
        self.machine.count(backwards=passes, passes=passes * self.share)

    def gradients(
        self, losses: TaskLosses, at: Level = "shared", weights: Float[Tensor, "k"] | None = None
    ) -> TaskGradients:
        graph = self._spend(losses)
        tasks = tuple(task for task in losses.tasks if task in graph.terms)
        if tasks != losses.tasks:
            raise BenchError("Per-task gradients need a graph of every task; take losses(tasks, grad=True).")
        machine = self.machine
        scale = None if weights is None else weights.detach().to(losses.values, non_blocking=True)
        version = graph.version

        def used(combination: Tensor | None) -> None:
            if at != "shared" and version != machine.version:  # the encoder sweep is still to run
                raise BenchError(f"Gradients at {at} are older than an `apply` or a `trial`; write them before it.")
            machine.used(tasks, scale, combination)

        if at == "shared":
            buffer = machine.buffers.free(len(tasks))
            found = flat_rows(graph, tasks, losses.values, scale, machine.shared, machine.owned, buffer, used)
            machine.buffers.give(buffer, found)
            machine.count(backwards=len(tasks), passes=len(tasks) * self.share)
            return found
        if machine.model.per_task_path:
            raise BenchError(f"Gradients at {at} need one shared encoder pass; this model has a path per task.")
        last = machine.model.last_shared if at == "last_layer" else None
        if at == "last_layer" and last is None:
            raise BenchError("This model has no last shared layer, which this method balances at.")
        machine.count(backwards=1, passes=self.share)
        return feature_rows(graph, tasks, losses.values, scale, machine.shared, machine.owned, last, used)

    def apply(
        self,
        only: Literal["all", "shared"] = "all",
        rule: Literal["optimizer", "sgd"] = "optimizer",
        stale: Sequence[int] = (),
    ) -> None:
        self.machine.apply(only, rule, stale)

    @contextmanager
    def trial(self) -> Iterator[None]:
        fresh, dropout = self._fresh, self._dropout
        try:
            with self.machine.trial():
                yield
        finally:
            self._fresh, self._dropout = fresh, dropout

    def split(self, parts: int) -> list[Step]:
        pieces = parts_by_label(self.batch.labelled, self.batch.size, parts)
        share = self.share / parts
        steps = [BatchStep(self.machine, self.batch.part(i), self.epoch, self.progress, share) for i in pieces]
        common = tuple(task for task in self.tasks if all(task in step.tasks for step in steps))
        for step in steps:
            step.tasks = common  # a task with fewer labels than parts is in none, so that rows of all parts align
        return [*steps]

    def _spend(self, losses: TaskLosses) -> Graph:
        graph, losses.graph = losses.graph, None
        if graph is None:
            raise BenchError("These losses have no graph, or it was spent; take `step.losses()` again.")
        if graph.version != self.machine.version:
            raise BenchError("These losses are older than an `apply` or a `trial`; take `step.losses()` after it.")
        return graph


def batch_tasks(batch: Batch, tasks: int) -> tuple[int, ...]:
    """Tasks with at least one label in the batch, from the label table on the host."""
    if batch.labelled is None:
        return tuple(range(tasks))
    return tuple(np.flatnonzero(batch.labelled.any(axis=0)).tolist())
