"""The forward of somebody else's loop: a function that computes losses, and taps put in by hooks."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.step.forward import Forwarded

# () → K losses, in order; with a path per task: task → its loss
Losses = Callable[[], Sequence[Tensor] | Tensor] | Callable[[int], Tensor]


class Taps:
    """Hooks on the modules that end in the shared tensors: what follows reads views of them (see `Forwarded`)."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.features: list[Tensor] = []
        self.taps: list[Tensor] = []
        for module in modules:
            module.register_forward_hook(self._tap)

    def begin(self) -> None:
        """The lists of the next forward; those of former ones belong to their graphs."""
        self.features, self.taps = [], []

    def _tap(self, module: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            self.features.append(output)
            self.taps.append(output.view_as(output))
            return self.taps[-1]
        if isinstance(output, list | tuple) and all(isinstance(part, Tensor) for part in output):
            return type(output)([self._tap(module, args, part) for part in output])
        raise BenchError(
            f"features= names a {type(module).__name__}, whose output is neither a tensor nor a list of them."
        )


class LoopForward:
    """`mtl_bench.step.forward.Forward` over a function that computes the losses of a batch.

    `check` sees the first forward with a graph; `repeatable` says whether a second one on the batch is exact. With
    several processes a loss is the mean of theirs.
    """

    def __init__(
        self,
        losses: Losses,
        taps: Taps,
        per_task_path: bool,
        check: Callable[[Forwarded], None],
        repeatable: bool,
        processes: int = 1,
    ) -> None:
        self.losses, self.taps, self.per_task_path, self.processes = losses, taps, per_task_path, processes
        self.check, self.repeatable = check, repeatable
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
        found = self._each(tasks, with_graph) if self.per_task_path else self._together(tasks, with_graph)
        if with_graph:
            self.check(found)
        found.terms = {task: found.terms[task] if task in with_graph else found.terms[task].detach() for task in tasks}
        return found

    def _together(self, tasks: Sequence[int], with_graph: frozenset[int]) -> Forwarded:
        self.taps.begin()
        with torch.set_grad_enabled(bool(with_graph)):
            losses = list(self.losses())  # type: ignore[call-arg]
        every = range(len(losses))
        features, taps = self.taps.features, self.taps.taps
        return Forwarded(
            {task: self._scalar(losses[task], task) for task in every},
            dict.fromkeys(every, features),
            dict.fromkeys(every, taps),
        )

    def _each(self, tasks: Sequence[int], with_graph: frozenset[int]) -> Forwarded:
        found = Forwarded({}, {}, {})
        for task in tasks:
            self.taps.begin()
            with torch.set_grad_enabled(task in with_graph):
                found.terms[task] = self._scalar(self.losses(task), task)  # type: ignore[call-arg]
            found.features[task], found.taps[task] = self.taps.features, self.taps.taps
        return found

    def _scalar(self, loss: object, task: int) -> Tensor:
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            raise BenchError(f"The loss of task {task} must be a tensor with one element, got {_described(loss)}.")
        return loss.reshape(()) if self.processes == 1 else loss.reshape(()) / self.processes


def _described(value: object) -> str:
    return f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
