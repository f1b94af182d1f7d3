"""A control: more steps, nothing else."""

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
class Repeated(Method):
    """The (weighted) sum of the losses, stepped `steps` times on the same batch; ours, a control.

    Methods that visit tasks or groups one after another (CSO's phase 1, STGU) take several optimizer steps per batch;
    what this gains over one step is not due to how they group. `weighting`: None is the protocol's static weights;
    asked and moved once per batch.
    Cost: `steps` forwards, backwards and optimizer steps.

    Raises BenchError for fewer than one step.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("active_weighting",)

    steps: int = 2
    weighting: LossWeighting | None = None
    active_weighting: LossWeighting = field(init=False, repr=False)

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.steps < 1:
            raise BenchError(f"method.steps is a number of optimizer steps per batch from 1 on, got {self.steps}.")
        self.active_weighting = self.weighting or LinearScalarization()
        self.active_weighting.setup(context)

    def update(self, step: Step) -> None:
        weights: Float[Tensor, "k"] = torch.empty(0)
        for n in range(self.steps):
            losses = step.losses()
            if n == 0:
                values, tasks = losses.values, losses.tasks
                weights = self.active_weighting.task_weights(values, tasks=tasks, generator=step.generator)
                self.active_weighting.observe(values, tasks=tasks)
            step.backward(losses, weights)
            step.apply()

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        self.active_weighting.end_epoch(means)
