"""Smooth Tchebycheff scalarization."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.by_task import ByTask, by_task
from mtl_bench.methods.interface import Context
from mtl_bench.methods.loss_weighting import LossWeighting, pick
from mtl_bench.methods.priorities import Prioritised
from mtl_bench.methods.task_values import positive
from mtl_bench.methods.warm_up import tell_warm_up


@dataclass(kw_only=True, eq=False)
class STCH(LossWeighting, Prioritised):
    """A smooth maximum over the tasks (Lin et al., ICML 2024): the task that is furthest behind weighs most.

    * `form="log"`, which the paper trains networks with, as released: Σ_k log l_k up to epoch `warmup` (from 0), whose
      mean losses become n_k; from then on L = k μ log Σ_i exp(y_i / μ), y_i = log(l_i / n_i), so that
      w_i = k softmax(y / μ)_i / l_i. A task without a label in that epoch has y = 0 until an epoch with one.
      `priorities` weigh the terms: k μ log Σ_i p_i exp(y_i / μ), and the logarithms of the warm-up (ours: multiplied
      with y, as below, they would turn round once y < 0).
    * `form="loss"`, the scalarization itself: L = k μ log Σ_i exp(λ_i (l_i − z) / μ), so that
      w_i = k λ_i softmax(λ (l − z) / μ)_i, with λ_i = K p_i of all K tasks by `priorities` and `ideal` z, the losses
      to be had at best, one for all tasks or by their names. No warm-up. As published, L = μ log Σ_i exp(p_i (l_i −
      z_i) / μ): `raw_scale=True` (its μ is μ / K here).

    `mu` > 0 must be tuned: towards 0 it is the weighted maximum; at 1 with equal progress "log" is scale-invariant
    weighting, and so it is throughout in a run no longer than `warmup` + 1 epochs. 1e-8 is added to a loss in "log"; a
    negative one gives NaN, which is counted and skipped.
    Cost: 1 forward, 1 backward, K numbers. No host copy.

    Raises BenchError for mu <= 0, a negative warmup, an unknown form, and an ideal that is no number.
    """

    natural_sum: ClassVar[None] = None
    separable: ClassVar[bool] = False
    state: ClassVar[tuple[str, ...]] = ("epochs", "nadir")

    form: Literal["log", "loss"] = "log"
    mu: float = 1.0
    warmup: int = 4
    ideal: ByTask = 0.0
    epochs: int = field(default=0, init=False)
    nadir: Float[Tensor, "K"] = field(init=False, repr=False)  # 0: not known yet
    factors: Float[Tensor, "K"] = field(init=False, repr=False)
    best: Float[Tensor, "K"] = field(init=False, repr=False)  # z

    def check_options(self) -> None:
        super().check_options()
        if not self.mu > 0 or self.warmup < 0:
            raise BenchError(f"mu must be positive and finite, warmup not negative; got {self.mu} and {self.warmup}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.form == "log":
            tell_warm_up(context, self.warmup, self.warmup + 1, "scale-invariant weighting")
        count = len(context.tasks)
        self.nadir = torch.zeros(count, device=context.device)
        self.best = by_task("ideal", self.ideal, context)
        self.factors = (count * self.preference(tuple(range(count)), count)).float().to(context.device)

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        factors, k = pick(self.factors, tasks), len(tasks)
        if self.form == "loss":
            if self.raw_scale:
                factors, k = factors / len(self.factors), 1
            return k * factors * (factors * (values - pick(self.best, tasks).to(values)) / self.mu).softmax(dim=0)
        losses, nadir = positive(values), pick(self.nadir, tasks)
        if self.epochs <= self.warmup:
            return factors / losses
        behind = (losses / torch.where(nadir > 0, nadir, losses)).log()
        shares = (behind / self.mu + factors.log()).softmax(dim=0)
        return k * torch.where(factors.any(), shares, 0.0) / losses

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        if self.epochs >= self.warmup:
            known = positive(means.to(self.nadir)).nan_to_num(0.0)
            self.nadir = torch.where(self.nadir > 0, self.nadir, known)
        self.epochs += 1
