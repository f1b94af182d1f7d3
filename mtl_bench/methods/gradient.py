"""The families of gradient methods: weights from the Gramian, and directions from all coordinates."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, Literal

import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.bare_gramian import problem_of
from mtl_bench.methods.composable import ComposableMethod
from mtl_bench.methods.interface import Context, GramianProblem, Step, TaskGradients


@dataclass(kw_only=True, eq=False)
class GradientMethod(ComposableMethod):
    """Takes one gradient per task and writes one direction.

    `at` is where the gradients live: all "shared" parameters (exact) or the "feature" (the shared tensors, all samples
    kept; one encoder backward). Heads receive the gradient of their own weighted loss.
    """

    at: Literal["shared", "feature"] = "shared"

    def setup(self, context: Context) -> None:
        super().setup(context)
        require_shared(self, context)
        if self.at == "feature" and context.per_task_path:
            raise BenchError("at=feature needs one shared encoder pass; this model has a path per task: use at=shared.")

    def update(self, step: Step) -> None:
        losses = step.losses(at=self.at)
        gradients = step.gradients(losses, at=self.at, weights=self.weigh(losses, step), rows=self.needs_rows)
        self.write(gradients, step)
        self.observe(losses)
        step.apply()

    @property
    def needs_rows(self) -> bool:
        """Whether it asks more of the gradients than inner products and a combination."""
        return True

    @abstractmethod
    def write(self, gradients: TaskGradients, step: Step) -> None:
        """Turn the rows into one direction and write it."""


@dataclass(kw_only=True, eq=False)
class GramianWeighting(GradientMethod):
    """d = Gᵀw with w = f(G Gᵀ): after the k × k Gramian no algebra of parameter size is needed.

    `scale_heads=True` multiplies each head's gradient by its task's weight as well. `max_norm` bounds ‖d‖ = √(wᵀGw) at
    the shared parameters (part of some methods; independent of the protocol's clip). Override `weights`, which also
    takes a bare Gramian.
    Cost: 1 forward, k encoder backwards at "shared" (1 at "feature"), k × P memory, one host copy. On a CPU large
    weights stay in factors and take less of both.

    Raises BenchError for max_norm that is not positive and finite.
    """

    scale_heads: bool = False
    max_norm: float | None = None

    def check_options(self) -> None:
        super().check_options()
        check_max_norm(self.max_norm)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "weights" in cls.__dict__:
            cls.weights = _of_problem_or_gramian(cls.__dict__["weights"])  # type: ignore[method-assign]

    @abstractmethod
    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        """Weights of the rows; called with a Gramian [k, k] (and keywords), it makes the problem of it.

        Raises BenchError for options that cannot be, for what is no Gramian, and for keywords that do not go with it.
        """

    def outcomes(self, problem: GramianProblem) -> Iterator[Float[Tensor, "k"]]:
        """All weights that the method may draw, where they are few enough to be listed; for `check_step`."""
        return iter(())

    def mistakes(self, problem: GramianProblem) -> Iterator[tuple[str, Float[Tensor, "k"]]]:
        """Weights of other people's mistakes in this method, with what to say of them; for `check_step`."""
        return iter(())

    @property
    def needs_rows(self) -> bool:
        return type(self).write is not GramianWeighting.write

    def write(self, gradients: TaskGradients, step: Step) -> None:
        gramian = gradients.gramian()
        if not (gramian.isfinite().all() and gradients.losses.isfinite().all()):
            # The step is going to be skipped on the device; a solver must not see NaN, nor keep state from it.
            gradients.combine(torch.full((len(gramian),), torch.nan, dtype=gramian.dtype))
            return
        weights = self.weights(GramianProblem(gramian, gradients.losses, gradients.tasks, step.generator))
        weights = self.scaled(weights)
        gradients.combine(self.bounded(weights, gramian), heads=weights if self.scale_heads else None)

    def bounded(self, weights: Float[Tensor, "k"], gramian: Float[Tensor, "k k"]) -> Float[Tensor, "k"]:
        return within_norm(weights, gramian, self.max_norm)


def within_norm(
    weights: Float[Tensor, "k"], gramian: Float[Tensor, "k k"], max_norm: float | None
) -> Float[Tensor, "k"]:
    """Weights whose direction is no longer than `max_norm` (None: any length)."""
    if max_norm is None:
        return weights
    norm = (weights @ gramian @ weights).clamp(min=0).sqrt()  # rounding may leave a tiny negative number
    return weights * min(1.0, max_norm / max(norm.item(), 1e-300))


def check_max_norm(max_norm: float | None) -> None:
    """Raises BenchError for what bounds no norm."""
    if max_norm is not None and not 0 < max_norm < math.inf:
        raise BenchError(f"method.max_norm is positive and finite, or null for none; got {max_norm}.")


def require_shared(method: object, context: Context) -> None:
    """Raises BenchError for a model whose shared parameters are all frozen: there is no gradient to compare."""
    if context.frozen:
        raise BenchError(
            f"{type(method).__name__} compares gradients of shared parameters, and none here requires one; let some "
            "train, or choose a loss weighting."
        )


def _of_problem_or_gramian(weights: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Called with either, whether it was written for a problem or for a Gramian and keywords."""
    takes_problem = list(signature(weights).parameters)[1:] == ["problem"]

    @wraps(weights)
    def given(self: GramianWeighting, problem: GramianProblem | ArrayLike, **keywords: Any) -> Tensor:
        if not isinstance(problem, GramianProblem):
            self.check_options()
            problem = problem_of(problem, **keywords)
        if takes_problem:
            return weights(self, problem)
        return weights(self, problem.gramian, losses=problem.losses, tasks=problem.tasks, generator=problem.generator)

    return given


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
