"""Fast adaptive multi-task optimization."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.by_task import ByTask, by_task
from mtl_bench.methods.interface import Context, Step, TaskLosses
from mtl_bench.methods.loss_weighting import WeightedSum, pick
from mtl_bench.methods.task_scalars import TaskScalars


@dataclass(kw_only=True, eq=False)
class FAMO(WeightedSum):
    """Equal relative improvement of all tasks at the cost of one more forward (Liu et al., NeurIPS 2023, alg. 1).

    z = softmax(ξ), D_k = l_k − b_k + 1e-8, c = 1 / Σ z_k / D_k; the model descends c Σ z_k log D_k, whose weights on
    the raw gradients, c z_k / D_k, sum to 1 (times k here; `raw_scale=True`: as published). The same batch is then
    evaluated again and ξ descends δ_k = z_k (r_k − Σ_j z_j r_j), r_k = log D_k − log D'_k: a task that improved faster
    gets less.

    Paper: ξ ← ξ − β (δ + γ ξ). Released code, and this class: Adam(lr=`lr`) with weight decay γ = `gamma`, which passes
    through the second-moment normalisation. γ: 1e-2 on Cityscapes, 1e-3 elsewhere. `minimum` is b_k, one for all tasks
    or by their names; a loss below it gives NaN, which is counted and skipped. The second forward replays dropout and
    leaves norm statistics alone (the release redraws and updates them, which makes r noisy).
    Cost: 2 forwards, 1 backward, K scalars. No host copy.

    Raises BenchError for rates that are negative or not finite, and for a minimum that is no number.
    """

    natural_sum: ClassVar[Literal[1]] = 1
    state: ClassVar[tuple[str, ...]] = ("logits",)

    lr: float = 0.025
    gamma: float = 1e-3
    minimum: ByTask = 0.0
    least: Float[Tensor, "K"] = field(init=False, repr=False)  # b
    logits: TaskScalars = field(init=False, repr=False)

    def check_options(self) -> None:
        super().check_options()
        if not self.gamma >= 0:
            raise BenchError(f"method.gamma is finite and not negative, got {self.gamma}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        context.require_repeats()
        self.least = by_task("minimum", self.minimum, context)
        self.logits = TaskScalars(len(context.tasks), 0.0, self.lr, self.gamma, context.device)

    def update(self, step: Step) -> None:
        losses = step.losses(at=self.taken_at)
        z = self.logits.values(losses.tasks).softmax(dim=0)
        before = self.excess(losses)
        self.backward(step, losses, self.scaled((z / before) / (z / before).sum()))
        step.apply()
        after = self.excess(step.losses(losses.tasks, grad=False))
        # equal: the step was skipped, and momentum alone must not move the logits either
        rate = torch.where((before == after).all(), torch.nan, before.log() - after.log())
        self.logits.descend(z * (rate - (z * rate).sum()), losses.tasks)

    def excess(self, losses: TaskLosses) -> Float[Tensor, "k"]:
        values = losses.values.to(torch.promote_types(losses.values.dtype, torch.float32))
        above = (
            values - pick(self.least, losses.tasks).to(values) + 1e-8
        )  # as released: keeps the logarithm finite at a loss of 0
        return torch.where(above > 0, above, torch.nan)  # 1 / D would stay finite and turn the weight's sign
