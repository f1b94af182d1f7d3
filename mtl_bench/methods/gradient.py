"""The families of gradient methods: weights from the Gramian, and directions from all coordinates."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Context, Step, TaskGradients
from mtl_bench.methods.weighted import WeightedMethod


@dataclass(kw_only=True, eq=False)
class GradientMethod(WeightedMethod):
    """Takes one gradient per task and writes one direction.

    `at` is where the gradients live: all "shared" parameters (exact) or the "feature" (the shared tensors, all samples
    kept; one encoder backward). Heads receive the gradient of their own weighted loss.
    """

    at: Literal["shared", "feature"] = "shared"

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.at == "feature" and context.per_task_path:
            raise BenchError("at=feature needs one shared encoder pass; this model has a path per task: use at=shared.")
        if self.at not in ("shared", "feature"):
            raise BenchError(f"at is `shared` or `feature`, got {self.at!r}.")

    def update(self, step: Step) -> None:
        losses = step.losses()
        self.write(step.gradients(losses, at=self.at, weights=self.weigh(losses, step)), step)
        self.observe(losses)
        step.apply()

    @abstractmethod
    def write(self, gradients: TaskGradients, step: Step) -> None:
        """Turn the rows into one direction and write it."""


@dataclass(kw_only=True, eq=False)
class GramianWeighting(GradientMethod):
    """d = Gᵀw with w = f(G Gᵀ): after the k × k Gramian no algebra of parameter size is needed.

    `scale_heads=True` multiplies each head's gradient by its task's weight as well. `max_norm` bounds ‖d‖ = √(wᵀGw)
    (part of some methods; independent of the protocol's clip).
    Cost: 1 forward, k encoder backwards at "shared" (1 at "feature"), k × P memory, one host copy.
    """

    scale_heads: bool = False
    max_norm: float | None = None

    @abstractmethod
    def weights(
        self,
        gramian: Float[Tensor, "k k"],
        *,
        losses: Float[Tensor, "k"] | None = None,
        tasks: tuple[int, ...] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "k"]:
        """Weights from a float64 Gramian on the host; `losses` are the weighted values the gradients belong to."""

    def write(self, gradients: TaskGradients, step: Step) -> None:
        gramian = gradients.gramian()
        if not gramian.isfinite().all():
            # The step is going to be skipped on the device; a solver must not see NaN, nor keep state from it.
            gradients.combine(torch.full((len(gramian),), torch.nan, dtype=gramian.dtype))
            return
        weights = self.weights(gramian, losses=gradients.losses, tasks=gradients.tasks, generator=step.generator)
        weights = self.bounded(self.scaled(weights), gramian)
        gradients.combine(weights, heads=weights if self.scale_heads else None)

    def bounded(self, weights: Float[Tensor, "k"], gramian: Float[Tensor, "k k"]) -> Float[Tensor, "k"]:
        if self.max_norm is None:
            return weights
        norm = (weights @ gramian @ weights).clamp(min=0).sqrt()  # rounding may leave a tiny negative number
        return weights * min(1.0, self.max_norm / max(norm.item(), 1e-300))


@dataclass(kw_only=True, eq=False)
class GradientAggregation(GradientMethod):
    """d from every coordinate of the rows: override `direction`.

    Cost: 1 forward, k encoder backwards at "shared" (1 at "feature"), k × P memory and temporaries of the same size.
    """

    @abstractmethod
    def direction(self, gradients: TaskGradients, *, generator: torch.Generator) -> Float[Tensor, "P"]:
        """A vector as long as a row; `generator` lives on the device."""

    def write(self, gradients: TaskGradients, step: Step) -> None:
        gradients.assign(self.direction(gradients, generator=step.device_generator))
