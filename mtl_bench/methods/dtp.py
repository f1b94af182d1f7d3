"""Dynamic task prioritization."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Context
from mtl_bench.methods.loss_weighting import LossWeighting, pick
from mtl_bench.methods.task_values import placed

LEAST = 1e-6  # of a performance, so that its logarithm stays finite: a weight of at most 13.8; ours


@dataclass(kw_only=True, eq=False)
class DynamicTaskPrioritization(LossWeighting):
    """Hard tasks first: w_k = −(1 − κ_k)^γ log κ_k with κ_k a running performance in (0, 1] (Guo et al., ECCV 2018).

    κ_k ← a κ'_k + (1 − a) κ_k, where κ' is the performance on the batch, which counts at once. The paper's κ is a
    metric (average precision, say), which a method does not see; here it is made of the loss, as e^{−l / c}:

    * `measure="likelihood"`: c = 1 for a classification, so that κ' is the geometric mean of the probabilities of the
      right answers; for a regression c is its loss at its first batch, so that κ' begins at 1/e and does not depend on
      units;
    * `measure="relative"`: c is the first loss for every task.

    A negative loss has κ = 1 and no weight. `gamma` ≥ 0 (0: −log κ), `discount` a in (0, 1].
    Cost: 1 forward, 1 backward, 2 K numbers. No host copy.

    Raises BenchError for a discount or gamma out of range, an unknown measure, and where "likelihood" is asked of a
    loop that has not said which tasks are classifications.
    """

    natural_sum: ClassVar[None] = None
    separable: ClassVar[bool] = True
    state: ClassVar[tuple[str, ...]] = ("performance", "unit")

    gamma: float = 1.0
    discount: float = 0.1
    measure: Literal["likelihood", "relative"] = "likelihood"
    performance: Float[Tensor, "K"] = field(init=False, repr=False)  # 0: not known yet
    unit: Float[Tensor, "K"] = field(init=False, repr=False)  # c; 0: not known yet

    def check_options(self) -> None:
        super().check_options()
        if not (0 < self.discount <= 1 and self.gamma >= 0):
            raise BenchError(f"discount lies in (0, 1] and gamma from 0 on, got {self.discount} and {self.gamma}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        kinds = context.likelihoods
        if self.measure == "likelihood" and len(kinds) != len(context.tasks):
            raise BenchError("measure=likelihood asks what tasks are: give `likelihoods`, or measure=relative.")
        self.performance = torch.zeros(len(context.tasks), device=context.device)
        units = [1.0 if kind == "classification" else 0.0 for kind in kinds]
        self.unit = torch.tensor(units if self.measure == "likelihood" else [0.0] * len(context.tasks))
        self.unit = self.unit.to(context.device)

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        performance = self.running(values, tasks)
        return -((1 - performance) ** self.gamma) * performance.log()

    def observe(self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...]) -> None:
        sound, before, unit = values.isfinite().all(), pick(self.performance, tasks), pick(self.unit, tasks)
        after = torch.where(sound, self.running(values, tasks), before)
        self.performance = placed(self.performance, after, tasks)
        self.unit = placed(self.unit, torch.where(sound & (unit <= 0), values.to(unit), unit), tasks)

    def running(self, values: Float[Tensor, "k"], tasks: tuple[int, ...]) -> Float[Tensor, "k"]:
        """Performance with this batch in it."""
        before, unit, losses = pick(self.performance, tasks), pick(self.unit, tasks), values.to(self.unit)
        # a first loss of 0 or less is no unit: the task has performance 1 until it has one
        scale = torch.where(unit > 0, unit, losses.clamp(min=torch.finfo(losses.dtype).tiny))
        now = (-losses / scale).exp().clamp(LEAST, 1.0)
        return torch.where(before > 0, before.lerp(now, self.discount), now)
