"""Priorities that the validation split decides."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.composable import ComposableMethod
from mtl_bench.methods.gradient import require_shared
from mtl_bench.methods.interface import Context, HeldOutSamples, Step, TaskGradients
from mtl_bench.methods.priorities import Prioritised
from mtl_bench.methods.task_scalars import TaskScalars


@dataclass(kw_only=True, eq=False)
class LearnedPriority(ComposableMethod, Prioritised):
    """`priority` with p learned: a task counts for as much as its gradient helps samples that are not trained on, by
    the derivative of one step (ours; Auto-λ, Liu et al., TMLR 2022, takes one by finite differences along a lookahead).

    d = Σ w_k g_k with w = k p, p = softmax(ξ) over the tasks of the batch: weights sum to k, all 1 at the start, and
    heads learn from their own unweighted losses (`scale_heads`: times w). After the step, with v the gradient of Σ_j
    q_j l_j on a batch of the validation split at the new shared parameters, q the `priorities` (equal unless given: p
    says what is trained, q what for), the derivative of that sum by w_k is −η ⟨g_k, v⟩, and ξ descends −w_k (⟨g_k, v⟩ −
    Σ_j p_j ⟨g_j, v⟩) with an Adam of its own (`lr`). η is left out: that Adam divides constant factors out again, and a
    schedule that ends at 0 would starve it. A softmax rather than a projection onto the simplex: a task that is worth
    nothing today falls towards 0 and can return.

    The derivative is exact for SGD, momentum and weight decay included. For Adam, which divides d by its running size,
    it is the usual approximation (as if the division were the same in every coordinate), and so it is where a norm is
    clipped. Norms have running statistics on held-out samples, which say little in a run's first batches. l_j counts in
    its own units and without the `weighting`: `priorities` correct that. Validation metrics are of samples that p has
    seen: a rule that selects by them is too kind to this method, test metrics are as good as ever. State moves on no
    batch of either kind that is not finite.
    Cost: 2 forwards, k + 1 encoder backwards, (k + 1) × P memory, 3 K scalars. No host copy.

    Raises BenchError for lr out of range, for a model with all shared parameters frozen, and where nothing is held out.
    """

    natural_sum: ClassVar[Literal[1]] = 1
    state: ClassVar[tuple[str, ...]] = ("logits",)

    lr: float = 0.025
    scale_heads: bool = False
    logits: TaskScalars = field(init=False, repr=False)

    def check_options(self) -> None:
        super().check_options()
        if not self.lr > 0:
            raise BenchError(f"method.lr must be positive and finite, got {self.lr}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        require_shared(self, context)
        if not context.held_out:
            raise BenchError(
                f"{type(self).__name__} learns from samples that are not trained on, and there are none: choose a "
                "protocol with protocol.training.val=held_out and a dataset with a validation split, or in a loop of "
                "your own give Stepper held_out=."
            )
        self.logits = TaskScalars(len(context.tasks), 0.0, self.lr, 0.0, context.device)

    def update(self, step: Step) -> None:
        held_out, losses = step.held_out(), step.losses(at="shared")
        rows = step.gradients(losses, weights=self.weigh(losses, step))
        shares = self.logits.values(losses.tasks).softmax(dim=0)
        weights = self.scaled(shares)
        rows.combine(weights, heads=weights if self.scale_heads else None)
        self.observe(losses)
        step.apply()
        if held_out.tasks:
            slopes = self.slopes(rows, held_out)
            hypergradient = weights * (slopes - (shares * slopes).sum())
            # else there was no step whose derivative this is
            self.logits.descend(torch.where(rows.finite(), hypergradient, torch.nan), losses.tasks)

    def slopes(self, rows: TaskGradients, held_out: HeldOutSamples) -> Float[Tensor, "k"]:
        """−⟨g_k, v⟩, on the device."""
        wanted = self.preference(held_out.tasks, len(held_out.tasks))
        seen = held_out.gradient(held_out.losses(), wanted).matrix()[0]
        return -(rows.matrix() @ seen)
