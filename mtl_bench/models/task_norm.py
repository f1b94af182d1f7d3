"""Norms with gains, shifts and statistics of their own for every task."""

from collections.abc import Mapping, Sequence
from typing import cast

from torch import nn

from mtl_bench.errors import BenchError
from mtl_bench.models.task_copies import TaskCopies

Norm = nn.BatchNorm2d | nn.LayerNorm
OTHER_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.RMSNorm)  # also InstanceNorm


class TaskNorm(TaskCopies):
    """One norm per task (BatchNorms after convolutions: Jeong and Yoon, CVPR 2024)."""


def with_task_norms(encoder: nn.Module, tasks: Sequence[str]) -> None:
    """Put a `TaskNorm` in the place of every norm; other names stay, so all other layers still start alike.

    Raises `BenchError` for a norm of another kind than `BatchNorm2d` and `LayerNorm`, which would stay shared.
    """
    for parent in list(encoder.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d | nn.LayerNorm):
                setattr(parent, name, TaskNorm(child, tasks))
            elif isinstance(child, OTHER_NORMS):
                raise BenchError(
                    f"Norms per task are BatchNorm2d or LayerNorm, and the encoder has a {type(child).__name__}, "
                    f"{name!r}; build it with one of these, or leave task_norm out."
                )


def norms_by_weight(model: nn.Module) -> dict[str, tuple[Norm, ...]]:
    """Name of a shared weight → the live norms of all tasks that follow it, in task order.

    The convolution of a BatchNorm, or the linear layer of a LayerNorm, is the one registered right before it, as
    encoders here and in torchvision do. Raises `BenchError` for a norm whose channels are not those of that layer.
    """
    found: dict[str, tuple[Norm, ...]] = {}
    name, channels = "", 0
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            name, channels = f"{path}.weight", module.weight.shape[0]
        elif isinstance(module, TaskNorm):
            norms = tuple(cast(Mapping[str, Norm], module).values())
            if getattr(norms[0], "affine", True) is False:
                continue  # statistics per task alone: no gain tells whom a channel serves
            if name in found or norms[0].weight.shape != (channels,):
                raise BenchError(
                    f"No shared layer goes with the norms {path}: register each right before the norm that follows it."
                )
            found[name] = norms
        elif next(module.parameters(recurse=False), None) is not None:
            name, channels = "", 0  # a layer of another kind: what follows it is not the norm of the last one
    return found
