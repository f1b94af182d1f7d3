"""Running statistics of every task's own, with gains and shifts that all tasks share."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.models.task_norm import TaskNorm


class TaskStatistics(nn.Sequential):
    """A BatchNorm for a shared layer that every task feeds with maps of its own, one call per task.

    In training a BatchNorm normalises each call by itself, so tasks never mix there. One set of running statistics
    would be that of whichever task came first in a batch, and all others would be evaluated with it.
    """

    def __init__(self, channels: int, tasks: Sequence[str]) -> None:
        super().__init__(TaskNorm(nn.BatchNorm2d(channels, affine=False), tasks), ChannelAffine(channels))


class ChannelAffine(nn.Module):
    """A gain and a shift per channel, as a norm's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
        return x * self.weight[:, None, None] + self.bias[:, None, None]


def with_task_statistics(module: nn.Module, tasks: Sequence[str]) -> None:
    """Put `TaskStatistics` in the place of every BatchNorm."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, TaskStatistics(child.num_features, tasks))
