"""The forward of somebody else's loop: a function that computes losses, and taps put in by hooks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.step.forward import Forwarded
from mtl_bench.step.reach import meeting

# () → K losses, in order; with a path per task: task → its loss
Losses = Callable[[], Sequence[Tensor] | Tensor] | Callable[[int], Tensor]


class Taps:
    """Hooks on the modules that end in the shared tensors: what follows reads views of them (see `Forwarded`).

    Only in a forward of the step: what the modules compute otherwise would be kept for good.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.features: list[Tensor] = []
        self.taps: list[Tensor] = []
        self.joined: bool | None = None  # whether what follows the taps is computed for several tasks at once
        self._recording = False
        self._hooks = [module.register_forward_hook(self._tap) for module in modules]

    @contextmanager
    def recording(self) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        """Features and taps of the forward in the block; they belong to its graph."""
        self._recording = True
        try:
            yield self.features, self.taps
        finally:
            self.features, self.taps, self._recording = [], [], False

    def remove(self) -> None:
        """The hooks."""
        for hook in self._hooks:
            hook.remove()

    def _tap(self, module: nn.Module, args: Any, output: Any) -> Any:
        if not self._recording:
            return output
        if isinstance(output, Tensor):
            self.features.append(output)
            self.taps.append(output.view_as(output))
            return self.taps[-1]
        if isinstance(output, list | tuple) and all(isinstance(part, Tensor) for part in output):
            return type(output)([self._tap(module, args, part) for part in output])
        raise BenchError(
            f"features= names a {type(module).__name__}, whose output is neither a tensor nor a list of them."
        )


def called(losses: Losses, count: int | None = None) -> list[Tensor]:
    """The losses of a batch, `count` of them where it is known. Raises BenchError for anything else."""
    if not callable(losses):
        raise BenchError("step() takes a function that computes the losses, as in step(lambda: losses(model(image))).")
    found = losses()  # type: ignore[call-arg]
    if (
        not isinstance(found, Iterable)
        or isinstance(found, str | Mapping)
        or (isinstance(found, Tensor) and not found.ndim)
    ):
        raise BenchError(
            f"The function must return the losses of all tasks in a list, not summed; got {_described(found)}."
        )
    listed = list(found)
    if count is not None and len(listed) != count:
        raise BenchError(
            f"The function returned {len(listed)} losses, and there are heads of {count} tasks; give one each."
        )
    return listed


def autocast_now(device: torch.device) -> torch.autocast | None:
    """The autocast around whoever asks, to be entered again."""
    kind = device.type
    return torch.autocast(kind, torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else None


def paused(autocast: torch.autocast | None) -> AbstractContextManager[object]:
    """Without the autocast that is around."""
    return nullcontext() if autocast is None else torch.autocast(autocast.device, enabled=False)


class LoopForward:
    """`mtl_bench.step.forward.Forward` over a function that computes the losses of a batch, `count` of them.

    `check` sees the losses of every forward that have a graph; `repeatable` says whether a second one on the batch is
    exact; `passed` is told of the end of each task's path. With several processes a loss is the mean of theirs. It is
    called inside of `around`.
    """

    def __init__(
        self,
        losses: Losses,
        count: int,
        taps: Taps,
        per_task_path: bool,
        check: Callable[[Forwarded], None],
        repeatable: bool,
        passed: Callable[[], None],
        processes: int = 1,
        around: torch.autocast | None = None,
    ) -> None:
        self.losses, self.count, self.taps, self.processes = losses, count, taps, processes
        self.around = around or nullcontext()
        self.per_task_path = per_task_path
        self.check, self.repeatable, self.passed = check, repeatable, passed
        self.calls = 0

    def __call__(self, tasks: Sequence[int], with_graph: frozenset[int], condition: object = None) -> Forwarded:
        if condition is not None:
            raise BenchError(
                "A loop of your own takes no condition; put it into the function that computes the losses."
            )
        if self.calls and not self.repeatable:
            raise BenchError(
                "This method runs several forwards on a batch; give Stepper model=, so that they are exact."
            )
        self.calls += 1
        torch.clear_autocast_cache()  # of weights as they were before they moved
        found = self._each(tasks, with_graph) if self.per_task_path else self._together(tasks, with_graph)
        torch.clear_autocast_cache()
        if with_graph:
            self.check(replace(found, terms={task: found.terms[task] for task in sorted(with_graph)}))
        found.terms = {task: found.terms[task] if task in with_graph else found.terms[task].detach() for task in tasks}
        return found

    def _together(self, tasks: Sequence[int], with_graph: frozenset[int]) -> Forwarded:
        with self.around, torch.set_grad_enabled(bool(with_graph)), self.taps.recording() as (features, taps):
            losses = called(self.losses, self.count)
        return Forwarded(
            {task: self._scalar(loss, task) for task, loss in enumerate(losses)},
            dict.fromkeys(range(self.count), features),
            dict.fromkeys(range(self.count), taps),
            joined=bool(features and with_graph) and self._joined(losses, taps),
        )

    def _joined(self, losses: Sequence[Tensor], taps: Sequence[Tensor]) -> bool:
        """Asked once: a walk through the graph is too long for every batch."""
        if self.taps.joined is None:
            self.taps.joined = meeting(losses, taps)
        return self.taps.joined

    def _each(self, tasks: Sequence[int], with_graph: frozenset[int]) -> Forwarded:
        found = Forwarded({}, {}, {})
        for task in tasks:
            with self.around, torch.set_grad_enabled(task in with_graph), self.taps.recording() as (features, taps):
                found.terms[task] = self._scalar(self.losses(task), task)  # type: ignore[call-arg]
            found.features[task], found.taps[task] = features, taps
            self.passed()
        return found

    def _scalar(self, loss: object, task: int) -> Tensor:
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            raise BenchError(f"The loss of task {task} must be a tensor with one element, got {_described(loss)}.")
        return loss.reshape(()) if self.processes == 1 else loss.reshape(()) / self.processes


def _described(value: object) -> str:
    return f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
