"""Excess risks."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.composable import ComposableMethod
from mtl_bench.methods.gradient import require_shared
from mtl_bench.methods.interface import Context, Step
from mtl_bench.methods.loss_weighting import pick
from mtl_bench.methods.task_values import placed
from mtl_bench.methods.task_vectors import TaskVectors


@dataclass(kw_only=True, eq=False)
class ExcessMTL(ComposableMethod):
    """More weight for tasks that are further from what they could reach (He et al., ICML 2024).

    S_k ← S_k + g_k², e_k = Σ g_k² / √(S_k + 1e-7), the excess risk by a quadratic model with AdaGrad's curvature;
    w_k ← w_k exp(η e_k / e_k⁰), renormalised; the model descends Σ w_k l_k (heads too, unless `scale_heads=False`).
    w begins uniform and sums to 1 (times k here; `raw_scale=True`: as published). `step_size` is η.

    e_k⁰ is the mean of a task's first `warmup` batches, during which its w stays. Released code takes the first batch
    alone; the paper's appendix describes three epochs: `warmup` = 3 × batches per epoch. A task whose gradients have
    been 0 so far goes on warming up, where released code divides by 0. As S only grows, e falls like 1/√t and w
    settles. w is kept as a logarithm; a task that is absent keeps its S and w.
    Cost: 1 forward, k encoder backwards, 2 k × P memory. No host copy.

    Raises BenchError for a step_size or warmup out of range.
    """

    natural_sum: ClassVar[Literal[1]] = 1
    state: ClassVar[tuple[str, ...]] = ("squares", "log_weights", "reference", "seen")

    scale_heads: bool = True
    step_size: float = 1.0
    warmup: int = 1
    squares: TaskVectors = field(init=False, repr=False)
    log_weights: Float[Tensor, "K"] = field(init=False, repr=False)
    reference: Float[Tensor, "K"] = field(init=False, repr=False)
    seen: Float[Tensor, "K"] = field(init=False, repr=False)  # batches of each task that counted

    def check_options(self) -> None:
        super().check_options()
        if not self.step_size >= 0 or self.warmup < 1:
            raise BenchError(f"step_size >= 0 and warmup >= 1, got {self.step_size} and {self.warmup}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        require_shared(self, context)
        count = len(context.tasks)
        self.squares = TaskVectors(count)
        # float64: what one batch adds to the logarithms becomes small beside them
        zeros = torch.zeros(count, dtype=torch.float64, device=context.device)
        self.log_weights, self.reference, self.seen = zeros, zeros, zeros

    def update(self, step: Step) -> None:
        losses = step.losses(at="shared")
        gradients = step.gradients(losses, weights=self.weigh(losses, step))
        self.observe(losses)
        self.follow(gradients.matrix(), losses.tasks, gradients.finite())
        weights = self.scaled(pick(self.log_weights, losses.tasks).softmax(dim=0))
        gradients.combine(weights, heads=weights if self.scale_heads else None)
        step.apply()

    def follow(self, rows: Float[Tensor, "k P"], tasks: tuple[int, ...], sound: Bool[Tensor, ""]) -> None:
        excess = self.excess(rows, tasks, sound)
        seen, before = pick(self.seen, tasks), pick(self.reference, tasks)
        warming = (seen < self.warmup) | (before <= 0)
        after = torch.where(warming & (excess > 0), before + (excess - before) / (seen + 1), before)
        step = torch.where(warming, 0.0, self.step_size * excess / after)
        logs = pick(self.log_weights, tasks)
        self.log_weights = placed(self.log_weights, torch.where(sound, logs + step, logs), tasks)
        self.reference = placed(self.reference, torch.where(sound, after, before), tasks)
        # of gradients of 0 none counts: they would make e⁰ smaller, which stands under an exponent
        self.seen = placed(self.seen, torch.where(sound & (excess > 0), seen + 1, seen), tasks)

    def excess(self, rows: Float[Tensor, "k P"], tasks: tuple[int, ...], sound: Bool[Tensor, ""]) -> Float[Tensor, "k"]:
        squares, found = self.squares.matrix(rows), []
        for row, task in zip(rows, tasks, strict=True):
            square = torch.where(sound, row, 0.0).square_()
            squares[task].add_(square)
            found.append(torch.dot(square, (squares[task] + 1e-7).rsqrt_()))
        return torch.stack(found).double()
