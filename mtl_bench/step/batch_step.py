"""The step of one batch: what a method is handed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Level, Step, TaskGradients, TaskLosses
from mtl_bench.step.engines.graph import Graph, recomputed, spend
from mtl_bench.step.forward import Part
from mtl_bench.step.held_out_batch import HeldOutBatch
from mtl_bench.step.means import Means
from mtl_bench.step.reduce import Alone
from mtl_bench.step.snapshot import replayed


class BatchStep:
    """`mtl_bench.methods.interface.Step` over one batch, or part of one (`share` < 1)."""

    progress: float

    def __init__(
        self, part: Part, means: Means, epoch: int = 0, progress: float | None = None, share: float = 1.0
    ) -> None:
        self.part, self.tasks, self.means = part, part.tasks, means
        self.epoch, self.share = epoch, share
        if progress is not None:
            self.progress = progress
        self.mover, self.ledger = means.mover, means.ledger
        self.generator, self.device_generator = self.mover.generator, self.mover.device_generator
        self._dropout: Tensor | None = None  # random state before the last forward with a graph
        self._fresh = True  # norms are switched on at the first forward, also of each part of a split
        self._told: set[int] = set()  # tasks whose loss here is known

    def __getattr__(self, name: str) -> Any:
        """Only for what is not there: `progress` in a loop that has not said how long it is."""
        if name == "progress":
            raise BenchError("This method follows how much of training is done; give Stepper total_steps=.")
        raise AttributeError(f"A step has no {name!r}.")

    @property
    def lr(self) -> float:
        return self.mover.lr

    def losses(
        self,
        tasks: Sequence[int] | None = None,
        *,
        grad: bool | Sequence[int] = True,
        at: Level | None = None,
        condition: object = None,
    ) -> TaskLosses:
        chosen = self.tasks if tasks is None else tuple(task for task in sorted(tasks) if task in self.tasks)
        with_graph = frozenset(chosen if grad is True else () if grad is False else grad) & frozenset(chosen)
        if self._fresh:
            self.mover.norms.new_batch()
            self._fresh = False
        engine = self.means.engine(at).forward() if at else nullcontext()
        with (
            engine,
            self.mover.norms.forward(),
            replayed(self.mover.device, self._dropout if grad is False else None) as before,
        ):
            if grad is not False:
                self._dropout = before
            found = self.part.forward(chosen, with_graph, condition)
        values = self.means.reduce.sum(torch.stack([found.terms[task].detach() for task in chosen]))
        passes = found.passes(chosen)
        self.ledger.forward(passes, self.share)
        if not with_graph:
            return TaskLosses(chosen, values)
        self.mover.saw(values)
        if not self.mover.in_trial and (new := [i for i, task in enumerate(chosen) if task not in self._told]):
            told = values if len(new) == len(chosen) else torch.stack([values[i] for i in new])
            self.ledger.observed([chosen[i] for i in new], told, self.share)
            self._told.update(chosen)
        return TaskLosses(chosen, values, Graph.of(found, with_graph, self.mover.version))

    def backward(self, losses: TaskLosses, weights: Float[Tensor, "k"]) -> None:
        graph = spend(losses, self.mover.version)
        chosen = [(i, task) for i, task in enumerate(losses.tasks) if task in graph.terms]
        tasks = tuple(task for _, task in chosen)
        kept = weights if len(chosen) == len(losses.tasks) else torch.stack([weights[i] for i, _ in chosen])
        able = [i for i, task in enumerate(tasks) if graph.terms[task].requires_grad]  # not a frozen head's, say
        if able:
            terms = [graph.terms[tasks[i]] for i in able]
            factors = kept.detach().to(terms[0], non_blocking=True)
            with recomputed(), self._summed():
                torch.autograd.backward(terms, [factors[i] for i in able])
        if not self.mover.in_trial:
            self.ledger.used(tasks, kept, None)
        self.ledger.backward(graph.passes(tasks), self.share)

    def gradients(
        self, losses: TaskLosses, at: Level = "shared", weights: Float[Tensor, "k"] | None = None, rows: bool = True
    ) -> TaskGradients:
        engine = self.means.engine(at)
        graph = spend(losses, self.mover.version)
        tasks = tuple(task for task in losses.tasks if task in graph.terms)
        if tasks != losses.tasks:
            raise BenchError("Per-task gradients need a graph of every task; take losses(tasks, grad=True).")
        mover, version = self.mover, graph.version
        scale = None if weights is None else weights.detach().to(losses.values, non_blocking=True)

        def written(combination: Tensor | None) -> None:
            if engine.sweeps_late and version != mover.version:
                raise BenchError(f"Gradients at {at} are older than an `apply` or a `trial`; write them before it.")
            if not mover.in_trial:
                self.ledger.used(tasks, scale, combination)

        self.ledger.backward(engine.sweeps(len(tasks)), self.share)
        return engine.rows(graph, tasks, losses.values, scale, written, whole=rows)

    def apply(
        self,
        only: Literal["all", "shared"] = "all",
        rule: Literal["optimizer", "sgd"] = "optimizer",
        stale: Sequence[int] = (),
    ) -> None:
        finite = self.mover.apply(only, rule, stale)
        if not self.mover.in_trial:
            self.ledger.stepped(finite)

    @contextmanager
    def trial(self) -> Iterator[None]:
        self.means.reduce.refuse("A step on trial")
        fresh, dropout = self._fresh, self._dropout
        try:
            with self.mover.trial():
                yield
        finally:
            self._fresh, self._dropout = fresh, dropout

    def split(self, parts: int) -> list[Step]:
        self.means.reduce.refuse("Splitting a batch")
        if self.part.split is None:
            raise BenchError(
                "This method works on parts of a batch, and nobody has said how to split this one; in a loop of your "
                "own give step(…, split=)."
            )
        found = self.part.split(parts)
        # a task with fewer labels than parts is in none, so that rows of all parts align
        common = tuple(task for task in self.tasks if all(task in part.tasks for part in found))
        share, progress = self.share / parts, self.__dict__.get("progress")
        return [BatchStep(replace(part, tasks=common), self.means, self.epoch, progress, share) for part in found]

    def held_out(self) -> HeldOutBatch:
        if self.means.held_out is None:
            raise BenchError("This method looks at held-out samples, and nobody has said which there are.")
        return HeldOutBatch(self.means.held_out(), self.means)

    @contextmanager
    def _summed(self) -> Iterator[None]:
        """What the block adds to `.grad` is summed over processes, what was there before is not again."""
        if isinstance(self.means.reduce, Alone):
            yield
            return
        before = [(parameter, parameter.grad) for parameter in self.mover.parameters]
        for parameter, _ in before:
            parameter.grad = None
        yield
        for parameter, former in before:
            if parameter.grad is not None:
                self.means.reduce.sum_in_place([parameter.grad])
                parameter.grad = parameter.grad if former is None else former + parameter.grad
            else:
                parameter.grad = former
