"""Dual-balancing multi-task learning."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.gradient import require_shared
from mtl_bench.methods.interface import Context, Step
from mtl_bench.methods.loss_weighting import pick
from mtl_bench.methods.task_values import placed, positive
from mtl_bench.methods.task_vectors import TaskVectors


@dataclass(kw_only=True, eq=False)
class DBMTL(Method):
    """Logarithms of the losses, and gradients that are as long as the longest (Lin et al., arXiv 2308.12029, DB-MTL).

    g_k is the gradient of log l_k, b_k ← β_t b_k + (1 − β_t) g_k with β_t = β / t^σ over the batches t of a task
    (`beta`, `beta_decay`), w_k = max_j ‖b_j‖ / ‖b_k‖, d = Σ_k w_k b_k. Heads receive the gradient of their log l_k,
    unweighted, as released (`scale_heads`: times w). b begins at 0: with σ = 0 the first steps are 1 − β as long as
    later ones. The step grows with the longest gradient. 1e-8 is added to losses and norms; a negative loss gives NaN,
    which is counted and skipped. No loss weighting is composed with it: a constant factor has no effect on a
    logarithm's gradient.

    Published (journal version, DeepLabV3+ of LibMTL, relative to single tasks): +1.15 % on NYUv2, +0.20 % on
    Cityscapes; equal weights −1.78 % on NYUv2.
    Cost: 1 forward, k encoder backwards, 2 k × P memory. No host copy.

    Raises BenchError for beta outside [0, 1) and a negative beta_decay.
    """

    natural_sum: ClassVar[None] = None
    state: ClassVar[tuple[str, ...]] = ("smoothed", "seen")

    beta: float = 0.9
    beta_decay: float = 0.0
    scale_heads: bool = False
    smoothed: TaskVectors = field(init=False, repr=False)
    seen: Float[Tensor, "K"] = field(init=False, repr=False)  # batches of each task that counted

    def check_options(self) -> None:
        super().check_options()
        if not (0 <= self.beta < 1 and self.beta_decay >= 0):
            raise BenchError(f"beta lies in [0, 1) and beta_decay from 0 on, got {self.beta} and {self.beta_decay}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        require_shared(self, context)
        self.smoothed = TaskVectors(len(context.tasks))
        self.seen = torch.zeros(len(context.tasks), dtype=torch.float64, device=context.device)

    def update(self, step: Step) -> None:
        losses = step.losses(at="shared")
        gradients = step.gradients(losses, weights=1 / positive(losses.values))
        direction, counted = self.weighed(gradients.matrix(), losses.tasks, gradients.finite())
        gradients.assign(direction, counted if self.scale_heads else None, weights=counted)
        step.apply()

    def weighed(
        self, rows: Float[Tensor, "k P"], tasks: tuple[int, ...], sound: Bool[Tensor, ""]
    ) -> tuple[Float[Tensor, "P"], Float[Tensor, "k"]]:
        """d, and what each smoothed gradient counts in it."""
        seen = pick(self.seen, tasks) + 1
        every = self.smoothed.average(rows, tasks, self.beta / seen**self.beta_decay, sound)
        self.seen = placed(self.seen, torch.where(sound, seen, seen - 1), tasks)
        norms = torch.stack([every[task].norm() for task in tasks])
        counted = norms.max() / (norms + 1e-8)
        weights = placed(every.new_zeros(len(every)), counted, tasks)
        return torch.where(sound, weights, torch.nan) @ every, counted
