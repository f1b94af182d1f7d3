"""Methods that compose with a loss weighting."""

from dataclasses import dataclass, field
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.interface import Context, Step, TaskLosses
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.loss_weighting import LossWeighting


@dataclass(kw_only=True, eq=False)
class ComposableMethod(Method):
    """Weights the losses before it takes gradients. `weighting` None: the protocol's static weights.

    Raises BenchError for a weighting with scale_heads=false, which only works on its own, and for what is none.
    """

    state: ClassVar[tuple[str, ...]] = ("active_weighting",)

    weighting: LossWeighting | None = None
    active_weighting: LossWeighting = field(init=False, repr=False)

    def check_options(self) -> None:
        super().check_options()
        check_made("weighting", self.weighting)
        if self.weighting is not None and not isinstance(self.weighting, LossWeighting):
            raise BenchError(
                f"{type(self.weighting).__name__} has a step of its own and weighs no losses for another method; "
                "choose a loss weighting, such as uw, dwa or si."
            )
        if self.weighting is not None and not self.weighting.scale_heads:
            raise BenchError("scale_heads=false works for a weighting on its own, not inside another method.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        self.active_weighting = self.weighting or LinearScalarization()
        self.active_weighting.setup(context)

    def missed_residuals(self) -> int:
        return super().missed_residuals() + (self.active_weighting.missed_residuals() if self.is_set_up else 0)

    def weigh(self, losses: TaskLosses, step: Step) -> Float[Tensor, "k"]:
        """Weights aligned with `losses.tasks`; changes no state, `observe` does."""
        return self.active_weighting.task_weights(losses.values, tasks=losses.tasks, generator=step.generator)

    def observe(self, losses: TaskLosses) -> None:
        """Moves the weighting's state: after `weigh`, once per task and batch."""
        self.active_weighting.observe(losses.values, tasks=losses.tasks)

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        self.active_weighting.end_epoch(means)


def check_made(option: str, given: object) -> None:
    """Raises BenchError for a class where one of its kind is wanted."""
    if isinstance(given, type):
        raise BenchError(f"{option} takes what was made, with its parentheses, as in {given.__name__}().")
