"""Model, optimizer and counters behind every step of a run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.data.split import Batch
from mtl_bench.methods.gradients.graph import Graph
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.tasks import Task
from mtl_bench.training.buffers import RowBuffers
from mtl_bench.training.counts import Counts
from mtl_bench.training.failures import FailureCount, is_finite
from mtl_bench.training.norms import NormSwitch
from mtl_bench.training.snapshot import (
    OptimizerSnapshot,
    RandomState,
    Snapshot,
    global_random_state,
    set_global_random_state,
)


@dataclass
class Machine:
    """The means that `BatchStep` hands on; lives as long as the run."""

    model: MultiTaskModel
    tasks: Mapping[str, Task]
    optimizer: torch.optim.Optimizer
    generator: torch.Generator  # host
    device_generator: torch.Generator
    device: torch.device
    clip_norm: float | None = None
    bn_updates: Literal["first", "all"] = "first"
    autocast: torch.dtype | None = None

    counts: Counts = field(default_factory=Counts)
    version: int = 0  # raised whenever parameters move
    weights: dict[int, tuple[Tensor | None, Tensor | None, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = list(self.tasks)
        self.shared = self.model.shared_parameters()
        self.owned = {k: list(self.model.task_parameters(k).values()) for k in range(len(self.names))}
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        like = next(iter(self.shared.values()))
        self.dtype = like.dtype
        self.buffers = RowBuffers(sum(p.numel() for p in self.shared.values()), like)
        self.norms = NormSwitch(self.model, every_forward=self.bn_updates == "all")
        self.failures = FailureCount(self.device)
        # whether the fused optimizer reads `finite` itself: on a CPU a read costs less than its way of skipping
        self.skips_on_device = bool(self.optimizer.defaults.get("fused")) and self.device.type == "cuda"
        self._seen: list[Tensor] = []  # losses behind the gradients that the next `apply` uses
        self._observed: list[tuple[tuple[int, ...], Tensor]] = []  # losses of this batch's forwards
        self._snapshot: tuple[int, Snapshot] | None = None  # of the parameters; serves every trial at that version
        self._trial = False
        self._saved_optimizer: OptimizerSnapshot | None = None
        self._start_momentum()

    def count(self, forwards: int = 0, backwards: int = 0, passes: float = 0.0) -> None:
        self.counts.forwards += forwards
        self.counts.backwards += backwards
        self.counts.passes += passes

    def used(self, tasks: Sequence[int], first: Tensor | None, second: Tensor | None) -> None:
        """Remember the weights that reached each task's gradient (their product), unread; trials leave no trace."""
        if not self._trial:
            self.weights |= {task: (first, second, i) for i, task in enumerate(tasks)}

    def forward(self, batch: Batch, tasks: Sequence[int], with_graph: frozenset[int]) -> tuple[Graph, Tensor]:
        """One encoder pass (one per task with K paths), and the scalar loss of each task."""
        graph = Graph({}, {}, {}, self.version)
        values = []
        shared: tuple[list[Tensor], list[Tensor]] | None = None
        for task in tasks:
            keep = task in with_graph
            if shared is None or self.model.per_task_path:
                path = task if self.model.per_task_path else None
                shared = self._encode(batch, path, keep if self.model.per_task_path else bool(with_graph))
            term = self._loss(batch, shared[1], task, keep)
            values.append(term.detach())
            if keep:
                graph.terms[task] = term
                graph.features[task], graph.taps[task] = shared
        stacked = torch.stack(values)
        if with_graph:
            self._seen.append(stacked)
            if not self._trial:
                self._observed.append((tuple(tasks), stacked))
        return graph, stacked

    def batch_losses(self) -> Float[Tensor, "K"]:
        """Raw loss of each task at its first forward of this batch; NaN where it has no label. Forgets them."""
        observed, self._observed = self._observed, []
        if len(observed) == 1 and len(observed[0][0]) == len(self.names):
            return observed[0][1]  # the common case: one forward of every task
        first = {task: values[i] for tasks, values in reversed(observed) for i, task in enumerate(tasks)}
        missing = torch.full((), torch.nan, dtype=self.dtype, device=self.device)
        return torch.stack([first.get(task, missing) for task in range(len(self.names))])

    def _encode(self, batch: Batch, path: int | None, grad: bool) -> tuple[list[Tensor], list[Tensor]]:
        with torch.set_grad_enabled(grad), self._precision():
            features = self.model.encode(batch.image.to(self.dtype), path)
            return features, [feature.view_as(feature) for feature in features]

    def _loss(self, batch: Batch, taps: list[Tensor], task: int, grad: bool) -> Float[Tensor, ""]:
        name = self.names[task]
        with torch.set_grad_enabled(grad):
            with self._precision():
                output = self.model.decode(taps, task)
            output = output.float() if self.autocast else output
            total, count = self.tasks[name].loss(output, batch.targets[name])
            return total / count.clamp(min=1)

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, self.autocast) if self.autocast else nullcontext()

    @contextmanager
    def dropout_of(self, state: Tensor | None) -> Iterator[Tensor]:
        """Yields the random state before the block; with `state` the block draws what followed that state."""
        before = global_random_state(self.device)
        if state is not None:
            set_global_random_state(self.device, state)
        yield before
        if state is not None:
            set_global_random_state(self.device, before)

    def apply(self, only: Literal["all", "shared"], rule: Literal["optimizer", "sgd"], stale: Sequence[int]) -> None:
        for parameter in (p for task in stale for p in self.owned[task] if p.grad is None):
            parameter.grad = torch.zeros_like(parameter)
        moved = list(self.shared.values()) if only == "shared" else self.parameters
        gradients = [p.grad for p in moved if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        finite = is_finite([norm, *self._seen])
        if rule == "sgd":
            self._descend(moved, finite)
        else:
            if only == "shared":
                self._drop_gradients(except_for=moved)
            if self.clip_norm is not None:
                nn.utils.clip_grads_with_norm_(moved, self.clip_norm, norm)
            self._optimizer_step(finite)
        self._drop_gradients(except_for=())
        self._seen.clear()
        self.version += 1
        if not self._trial:
            self.counts.optimizer_steps += 1
            self.failures.add(finite)

    @torch.no_grad()
    def _descend(self, parameters: Sequence[nn.Parameter], finite: Tensor) -> None:
        """θ −= lr · g, without clip, decay or momentum; nothing moves when the step is not finite."""
        for group in self.optimizer.param_groups:
            members = {id(p) for p in group["params"]}
            for parameter in parameters:
                if parameter.grad is not None and id(parameter) in members:
                    step = torch.where(finite, parameter.grad, torch.zeros_like(parameter.grad))
                    parameter.sub_(step, alpha=group["lr"])

    def _optimizer_step(self, finite: Tensor) -> None:
        if self._trial and self._saved_optimizer is None:
            self._saved_optimizer = OptimizerSnapshot(self.optimizer)
        if self.skips_on_device:  # state and step count stay untouched, and nothing waits
            self.optimizer.grad_scale = None  # type: ignore[attr-defined]
            self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
            self.optimizer.step()
        elif bool(finite):
            self.optimizer.step()

    def _start_momentum(self) -> None:
        """Zero buffers for torch's fused SGD, which cannot start one parameter's momentum later than another's (absent
        tasks), and leaves a buffer uninitialised when the step that would start it is skipped.
        """
        for group in self.optimizer.param_groups:
            if group.get("fused") and group.get("momentum"):
                for parameter in group["params"]:
                    self.optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))

    def _drop_gradients(self, except_for: Sequence[nn.Parameter]) -> None:
        kept = {id(p) for p in except_for}
        for parameter in self.parameters:
            if id(parameter) not in kept:
                parameter.grad = None

    @contextmanager
    def trial(self) -> Iterator[None]:
        if self._snapshot is None or self._snapshot[0] != self.version:
            self._snapshot = None  # frees its memory before the next one is taken
            self._snapshot = (self.version, Snapshot(self.model.parameters()))
        parameters = self._snapshot[1]
        buffers = Snapshot(self.model.buffers())  # anew: a forward moves them without a new version
        random = RandomState(self.device, (self.generator, self.device_generator))
        norms = self.norms.flags()
        outside = self._trial, self._saved_optimizer, self._seen
        self._trial, self._saved_optimizer, self._seen = True, None, []
        try:
            yield
        finally:
            parameters.restore()
            buffers.restore()
            random.restore()
            self.norms.restore(norms)
            if self._saved_optimizer is not None:
                self._saved_optimizer.restore()
            self._drop_gradients(except_for=())
            self._trial, self._saved_optimizer, self._seen = outside
            self.version += 1
            self._snapshot = (self.version, parameters)  # the parameters are the ones it holds
