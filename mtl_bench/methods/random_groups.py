"""A control: groups of tasks updated in turn, drawn at random."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.interface import Context, Step
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.weighting import LossWeighting


@dataclass(kw_only=True, eq=False)
class RandomGroups(Method):
    """Selective group updates without selection; ours, a control for STGU.

    At every batch its tasks are shuffled and dealt to `groups` groups (as many as there are tasks, if fewer), whose
    sizes differ by at most one; each group is visited with a forward, the backward of its own losses and an optimizer
    step. `weighting`: None is the protocol's static weights; asked and moved at the first visit.
    Cost: M forwards, M backwards of the visited tasks, M optimizer steps, M = min(`groups`, k).

    Raises BenchError for fewer than one group.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("active_weighting",)

    groups: int = 2
    weighting: LossWeighting | None = None
    active_weighting: LossWeighting = field(init=False, repr=False)

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.groups < 1:
            raise BenchError(f"method.groups is a number of groups per batch from 1 on, got {self.groups}.")
        self.active_weighting = self.weighting or LinearScalarization()
        self.active_weighting.setup(context)

    def update(self, step: Step) -> None:
        order = torch.randperm(len(step.tasks), generator=step.generator).tolist()
        shuffled = [step.tasks[i] for i in order]
        dealt = [shuffled[first :: self.groups] for first in range(min(self.groups, len(shuffled)))]
        weights: Float[Tensor, "k"] | None = None
        for group in dealt:
            losses = step.losses(grad=group)
            if weights is None:
                values, tasks = losses.values, losses.tasks
                weights = self.active_weighting.task_weights(values, tasks=tasks, generator=step.generator)
                self.active_weighting.observe(values, tasks=tasks)
            step.backward(losses, weights)
            step.apply()

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        self.active_weighting.end_epoch(means)
