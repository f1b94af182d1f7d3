"""What MTAN adds to a SegNet: masks of one task, and the shared way from one mask to the next."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from mtl_bench.models.dense_head import enlarge
from mtl_bench.models.segnet import MULTIPLES, SegNetTrunk, segnet_stage, unpool

FIRST = 3  # layers of a stage's first convolution: convolution, norm, ReLU


class TaskAttention(nn.Module):
    """The masks of one task, ten of values between 0 and 1 (eq. 2 and 3): 1×1 convolution, norm, ReLU, 1×1 convolution,
    norm, sigmoid.

    On the way down a mask reads the first map of its stage and what the task has seen so far, and multiplies the last
    map of the stage; on the way up it reads the unpooled map in the place of the first one.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width * multiple for multiple in MULTIPLES]
        self.down = nn.ModuleList([_mask(widths[0], widths[0]), *(_mask(2 * after, after) for after in widths[1:])])
        up = [(below + above, above) for above, below in pairwise([widths[0], *widths])]
        self.up = nn.ModuleList(_mask(*sizes) for sizes in reversed(up))


class AttendedSegNet(nn.Module):
    """The shared trunk, and `down` and `up` the shared passages from one mask of a task to its next one."""

    def __init__(self, channels: int, width: int, biases: bool) -> None:
        super().__init__()
        self.trunk = SegNetTrunk(channels, width, biases)
        widths = [width * multiple for multiple in MULTIPLES]
        self.down = nn.ModuleList(
            segnet_stage(before, after, 1, biases) for before, after in pairwise([*widths, widths[-1]])
        )
        self.up = nn.ModuleList(
            segnet_stage(below, above, 1, biases) for above, below in reversed(list(pairwise([widths[0], *widths])))
        )

    def forward(
        self, x: Float[Tensor, "batch channels height width"], attention: TaskAttention
    ) -> Float[Tensor, "batch features height width"]:
        poolings, seen = [], x[:, :0]
        for stage, mask, passage in zip(self.trunk.down, attention.down, self.down, strict=True):
            first, full = _ends(stage, x)
            x, indices = max_pool2d(full, 2, return_indices=True)
            poolings.append((indices, full.shape))
            seen = max_pool2d(passage(mask(torch.cat([first, seen], dim=1)) * full), 2)
        for stage, mask, passage in zip(self.trunk.up, attention.up, self.up, strict=True):
            unpooled = unpool(x, *poolings.pop())
            _, x = _ends(stage, unpooled)
            seen = passage(enlarge(seen, (x.shape[-2], x.shape[-1])))
            seen = mask(torch.cat([unpooled, seen], dim=1)) * x
        return seen


def _ends(stage: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """What the first and the last convolution of a stage give."""
    assert isinstance(stage, nn.Sequential)
    first = stage[:FIRST](x)
    return first, stage[FIRST:](first)


def _mask(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 1),
        nn.BatchNorm2d(outputs),
        nn.Sigmoid(),
    )
