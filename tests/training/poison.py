"""A task that goes wrong at chosen moments of a run."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from mtl_bench.tasks import Classification


class Poison(Classification):
    """`Classification` whose loss is not finite at the calls of `bad` (from 1; calls go on through resumed runs).

    Only losses with a graph count, one per batch. "gradient": the loss stays finite and only its gradient is not.
    """

    how: ClassVar[Literal["nan", "inf", "gradient"]] = "nan"
    bad: ClassVar[set[int]] = set()
    calls: ClassVar[int] = 0

    def loss(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        total, count = super().loss(output, target)
        Poison.calls += total.requires_grad
        if not (total.requires_grad and Poison.calls in Poison.bad):
            return total, count
        if self.how == "gradient":
            output.register_hook(lambda gradient: gradient * torch.nan)
            return total, count
        return total * float(self.how), count
