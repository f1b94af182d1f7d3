"""Batch normalisation with gains, shifts and statistics of its own for every task."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError


class TaskNorm(nn.ModuleDict):
    """One BatchNorm per task, keyed by task name; the forward runs the one that `choose_task` named last.

    The convolution before it stays shared (Jeong and Yoon, CVPR 2024). Parameters belong to their task.
    """

    def __init__(self, norm: nn.BatchNorm2d, tasks: Sequence[str]) -> None:
        super().__init__({task: deepcopy(norm) for task in tasks})
        self._choose(tasks[0])

    def _choose(self, task: str) -> None:
        self.__chosen = task  # mangled: attributes and tasks share one space of names

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        return self[self.__chosen](x)


def with_task_norms(encoder: nn.Module, tasks: Sequence[str]) -> None:
    """Put a `TaskNorm` in the place of every BatchNorm; other names stay, so convolutions still start alike."""
    for parent in list(encoder.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, TaskNorm(child, tasks))


def choose_task(encoder: nn.Module, task: str) -> None:
    """Every forward of `encoder` is one of `task` from here on. Recomputed activations need the choice again."""
    for module in encoder.modules():
        if isinstance(module, TaskNorm):
            module._choose(task)


def norms_by_weight(model: nn.Module) -> dict[str, tuple[nn.BatchNorm2d, ...]]:
    """Name of a convolution's weight → the live norms of all tasks that follow it, in task order.

    The convolution of a norm is the one registered right before it, as encoders here and in torchvision do. Raises
    `BenchError` for a norm whose channels are not those of that convolution.
    """
    found: dict[str, tuple[nn.BatchNorm2d, ...]] = {}
    name, channels = "", 0
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            name, channels = f"{path}.weight", module.out_channels
        elif isinstance(module, TaskNorm):
            norms = tuple(cast(Mapping[str, nn.BatchNorm2d], module).values())
            if name in found or norms[0].num_features != channels:
                raise BenchError(
                    f"No convolution goes with the norms {path}: register each right before the norm that follows it."
                )
            found[name] = norms
    return found
