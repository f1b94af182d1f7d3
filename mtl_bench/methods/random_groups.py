"""A control: groups of tasks updated in turn, drawn at random."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.composable import ComposableMethod
from mtl_bench.methods.interface import Context, Step


@dataclass(kw_only=True, eq=False)
class RandomGroups(ComposableMethod):
    """Selective group updates without selection; ours, a control for STGU.

    At every batch its tasks are shuffled and dealt to `groups` groups (as many as there are tasks, if fewer), whose
    sizes differ by at most one, the larger ones first; each group is visited with a forward, the backward of its own
    losses and an optimizer step. `weighting` (None: the protocol's static weights) is asked and moved at the first
    visit.
    Cost: M forwards, M backwards of the visited tasks, M optimizer steps, M = min(`groups`, k).

    Raises BenchError for fewer than one group.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"

    groups: int = 2

    def check_options(self) -> None:
        super().check_options()
        if self.groups < 1:
            raise BenchError(f"method.groups is a number of groups per batch from 1 on, got {self.groups}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        context.require_repeats()

    def update(self, step: Step) -> None:
        order = torch.randperm(len(step.tasks), generator=step.generator).tolist()
        shuffled = [step.tasks[i] for i in order]
        dealt = [shuffled[first :: self.groups] for first in range(min(self.groups, len(shuffled)))]
        weights: Float[Tensor, "k"] | None = None
        for group in dealt:
            losses = step.losses(grad=group)
            if weights is None:
                weights = self.weigh(losses, step)
                self.observe(losses)
            step.backward(losses, weights)
            step.apply()
