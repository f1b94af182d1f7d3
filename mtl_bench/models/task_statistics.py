"""Running statistics of every task's own, with gains and shifts that all tasks share."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.models.task_copies import TaskCopies
from mtl_bench.models.task_norm import TaskNorm


class TaskStatistics(nn.Sequential):
    """A BatchNorm for a shared layer that every task feeds with maps of its own, one call per task.

    In training a BatchNorm normalises each call by itself, so tasks never mix there. One set of running statistics
    would be that of whichever task came first in a batch, and all others would be evaluated with it.
    """

    def __init__(self, norm: nn.BatchNorm2d, tasks: Sequence[str]) -> None:
        bare = nn.BatchNorm2d(norm.num_features, norm.eps, norm.momentum, affine=False)
        bare.load_state_dict({name: value for name, value in norm.state_dict().items() if name in bare.state_dict()})
        affine = ChannelAffine(norm.num_features)
        with torch.no_grad():  # loaded ones are to stay
            affine.weight.copy_(norm.weight)
            affine.bias.copy_(norm.bias)
        super().__init__(TaskNorm(bare, tasks), affine)


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
    """Put `TaskStatistics` in the place of every BatchNorm of which there are no copies per task."""
    for parent in [parent for parent in module.modules() if not isinstance(parent, TaskCopies)]:
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d) and child.track_running_stats:
                setattr(parent, name, TaskStatistics(child, tasks) if child.affine else TaskNorm(child, tasks))
