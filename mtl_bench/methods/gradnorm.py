"""Gradient normalization."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.by_task import by_task, check_by_name
from mtl_bench.methods.gradient import require_shared
from mtl_bench.methods.interface import Context, Step
from mtl_bench.methods.loss_weighting import pick
from mtl_bench.methods.task_scalars import TaskScalars
from mtl_bench.methods.task_values import not_negative, placed

LEAST = 1e-3  # of a weight; ours, the paper only wants them positive


@dataclass(kw_only=True, eq=False)
class GradNorm(Method):
    """Weights that let all tasks' gradients have norms in the proportion of how far behind they are (Chen et al., ICML
    2018, alg. 1).

    n_k = ‖w_k ∂l_k/∂θ‖ at the last shared layer, r_k = (l_k / l_k(0)) / mean_j(l_j / l_j(0)); w descends
    Σ_k |n_k − mean(n) r_k^α| with the target held constant, whose derivative by w_k is ± ‖∂l_k/∂θ‖ and needs no second
    backward. w starts at 1, is stepped by its own Adam (`lr`) after the model's gradient was taken, is held above 1e-3
    and rescaled so that the weights of the batch's tasks keep their sum: Σ w = K. `scale_heads`: heads feel w, as in
    the paper.

    * `alpha`: the pull towards equal training rates; 1.5 for NYUv2-like tasks, small for similar ones.
    * `reference`: l(0) is the loss of a task's "first" batch, or its mean over the first "epoch", in which all weigh 1
      (LibMTL). The paper advises log(C) for cross-entropy, where the first loss depends on the initialisation:
      `theoretical` has such l(0) by the names of tasks.
    * `at`: "last_layer", the weight of the last shared layer, or "shared", all of the encoder (LibMTL, which also
      replaces w by K softmax); it needs k encoder backwards and k × P memory.

    A negative loss has no rate and gives NaN, which is counted and skipped.
    Cost: 1 forward, 1 encoder backward and k backwards of the last layer (not counted); 2 K scalars. No host copy.

    Raises BenchError for alpha < 0, an unknown choice, theoretical losses that are none, and where the gradients are to
    be taken at a last shared layer which the model does not have, has frozen or does not compute once; on the first
    batch, where a loss does not reach that layer or another layer follows it.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("balance", "initial", "epochs")

    at: Literal["last_layer", "shared"] = "last_layer"
    alpha: float = 1.5
    lr: float = 0.025
    reference: Literal["first", "epoch"] = "first"
    theoretical: Mapping[str, float] = field(default_factory=dict)
    scale_heads: bool = True
    epochs: int = field(default=0, init=False)
    balance: TaskScalars = field(init=False, repr=False)
    initial: Float[Tensor, "K"] = field(init=False, repr=False)  # 0: not known yet

    def check_options(self) -> None:
        super().check_options()
        if not self.alpha >= 0:
            raise BenchError(f"alpha must not be negative, got {self.alpha}.")
        check_by_name("theoretical losses", self.theoretical)
        if not all(0 < float(loss) < math.inf for loss in self.theoretical.values()):
            raise BenchError(f"method.theoretical has losses above 0, such as log(C); got {dict(self.theoretical)}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        require_shared(self, context)
        if self.at == "last_layer" and context.per_task_path:
            path = "this model has a path per task"
            raise BenchError(f"at=last_layer needs one shared encoder pass; {path}: use at=shared.")
        if self.at == "last_layer" and context.last_shared is None:
            raise BenchError("This model has no last shared layer that trains: use at=shared.")
        self.balance = TaskScalars(len(context.tasks), 1.0, self.lr, 0.0, context.device)
        self.initial = by_task("theoretical", self.theoretical, context).float()

    def update(self, step: Step) -> None:
        losses = step.losses(at=self.at)
        gradients = step.gradients(losses, at=self.at)
        values = not_negative(losses.values)
        weights = torch.where(values.isnan(), torch.nan, self.balance.values(losses.tasks))
        gradients.combine(weights, heads=weights if self.scale_heads else None)
        self.rebalance(gradients.matrix(), values, losses.tasks, gradients.finite())
        step.apply()

    def rebalance(
        self, rows: Float[Tensor, "k P"], values: Float[Tensor, "k"], tasks: tuple[int, ...], finite: Bool[Tensor, ""]
    ) -> None:
        sound, weights = finite & values.isfinite().all(), self.balance.values(tasks)
        initial = pick(self.initial, tasks)
        known = torch.where(initial > 0, initial, values.to(initial))
        if self.reference == "first":
            self.initial = placed(self.initial, torch.where(sound, known, initial), tasks)
        elif self.epochs == 0:
            return
        norms, rates = rows.norm(dim=1).to(weights), values.to(known) / known
        targets = (weights * norms).mean() * (rates / rates.mean()) ** self.alpha
        slopes = (weights * norms - targets).sign() * norms
        sound = sound & targets.isfinite().all()  # a sign hides NaN
        self.balance.descend(torch.where(sound, slopes, torch.nan), tasks)
        moved = self.balance.values(tasks).clamp(min=LEAST)
        rescaled = torch.where(sound, moved * (weights.sum() / moved.sum()), weights)
        for task, weight in zip(tasks, rescaled.unbind(), strict=True):
            self.balance.scalars[task].data.copy_(weight)

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        if self.reference == "epoch":
            known = means.to(self.initial).nan_to_num(0.0)
            self.initial = torch.where(self.initial > 0, self.initial, known)
        self.epochs += 1
