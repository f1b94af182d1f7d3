"""A control: more steps, nothing else."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.composable import ComposableMethod
from mtl_bench.methods.interface import Context, Step


@dataclass(kw_only=True, eq=False)
class Repeated(ComposableMethod):
    """The (weighted) sum of the losses, stepped `steps` times on the same batch; ours, a control.

    Methods that visit tasks or groups one after another (CSO's phase 1, STGU) take several optimizer steps per batch;
    what this gains over one step is not due to how they group. `weighting`: None is the protocol's static weights;
    asked and moved once per batch.
    Cost: `steps` forwards, backwards and optimizer steps.

    Raises BenchError for fewer than one step.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"

    steps: int = 2

    def check_options(self) -> None:
        super().check_options()
        if self.steps < 1:
            raise BenchError(f"method.steps is a number of optimizer steps per batch from 1 on, got {self.steps}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.steps > 1:
            context.require_repeats()

    def update(self, step: Step) -> None:
        weights: Float[Tensor, "k"] = torch.empty(0)
        for n in range(self.steps):
            losses = step.losses()
            if n == 0:
                weights = self.weigh(losses, step)
                self.observe(losses)
            step.backward(losses, weights)
            step.apply()
