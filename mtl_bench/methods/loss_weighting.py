"""The family of loss weightings: Σ w_i ∇l_i with detached w."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.interface import Context, Level, Step, TaskLosses


@dataclass(kw_only=True, eq=False)
class WeightedSum(Method):
    """Descends Σ w_i l_i. `scale_heads=False` leaves the heads' gradients unweighted (only the shared parameters feel
    the weights).
    """

    scale_heads: bool = True

    def setup(self, context: Context) -> None:
        super().setup(context)
        if not self.scale_heads and context.frozen:
            raise BenchError("scale_heads=false weighs shared parameters alone, and none here requires a gradient.")
        if not self.scale_heads and context.per_task_path:
            raise BenchError("scale_heads=false needs one shared encoder pass; this model has a path per task.")

    @property
    def taken_at(self) -> Level | None:
        """Where its step's losses are taken: unweighted heads need the gradients at the features."""
        return None if self.scale_heads else "feature"

    def backward(self, step: Step, losses: TaskLosses, weights: Float[Tensor, "k"]) -> None:
        if self.scale_heads:
            step.backward(losses, weights)
        else:
            step.gradients(losses, at="feature").combine(weights)


@dataclass(kw_only=True, eq=False)
class LossWeighting(WeightedSum):
    """Weights from detached losses; one backward per batch.

    On its own it is a method; inside a gradient method it weights the losses before gradients are taken.
    `separable`: the weight of task i depends on task i alone, so that methods which see one task at a time may use it.
    What it learns from losses it also learns from a batch whose step is skipped for its gradient alone.
    """

    separable: ClassVar[bool]

    @abstractmethod
    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        """Weights on the device of `values` (detached, raw), for `tasks`; changes no state."""

    def observe(self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...]) -> None:
        """Moves state, after `weights`, once per task and batch."""

    def task_weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        """`weights` on the common scale: equal weights mean 1 each. Raises BenchError where that needs a `setup`."""
        try:
            return self.scaled(self.weights(values, tasks=tasks, generator=generator))
        except AttributeError as error:
            if self.is_set_up:
                raise
            raise BenchError(
                f"{type(self).__name__} knows its tasks after setup: use it through Stepper, or as a weighting there."
            ) from error

    def update(self, step: Step) -> None:
        losses = step.losses(at=self.taken_at)
        weights = self.task_weights(losses.values, tasks=losses.tasks, generator=step.generator)
        self.backward(step, losses, weights)
        self.observe(losses.values, tasks=losses.tasks)
        step.apply()


def pick(values: Float[Tensor, "K"], tasks: tuple[int, ...]) -> Float[Tensor, "k"]:
    """Entries of the tasks in the batch, without an index tensor that would have to travel to the device."""
    return values if len(tasks) == len(values) else torch.stack([values[task] for task in tasks])
