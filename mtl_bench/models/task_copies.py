"""A layer of which every task has a copy of its own."""

from collections.abc import Sequence
from copy import deepcopy

from torch import Tensor, nn


class TaskCopies(nn.ModuleDict):
    """One copy of a layer per task, keyed by task name; the forward runs the one that `choose_task` named last.

    Parameters belong to their task. Layers before and behind stay shared, unless they are copied too.
    """

    def __init__(self, layer: nn.Module, tasks: Sequence[str]) -> None:
        super().__init__({task: deepcopy(layer) for task in tasks})
        self._choose(tasks[0])

    def _choose(self, task: str) -> None:
        self.__chosen = task  # mangled: attributes and tasks share one space of names

    def forward(self, *inputs: Tensor) -> Tensor:
        found: Tensor = self[self.__chosen](*inputs)
        return found


def choose_task(encoder: nn.Module, task: str) -> None:
    """Every forward of `encoder` is one of `task` from here on. Recomputed activations need the choice again."""
    for module in encoder.modules():
        if isinstance(module, TaskCopies):
            module._choose(task)


def copied_layers(model: nn.Module) -> dict[str, str]:
    """Name of each copy in a model → the name that the layer has where it is shared."""
    found = [(path, module) for path, module in model.named_modules() if isinstance(module, TaskCopies)]
    return {f"{path}.{task}": path for path, module in found for task in module}
