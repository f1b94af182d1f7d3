"""AdaTask."""

from dataclasses import dataclass, field
from math import sqrt
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.composable import ComposableMethod
from mtl_bench.methods.gradient import require_shared
from mtl_bench.methods.interface import Context, Step
from mtl_bench.methods.task_vectors import TaskVectors


@dataclass(kw_only=True, eq=False)
class AdaTask(ComposableMethod):
    """Adam with moments of its own for each task at the shared parameters (Yang et al., AAAI 2023).

    m_k ← β₁ m_k + (1 − β₁) g_k, v_k ← β₂ v_k + (1 − β₂) g_k², θ ← θ − lr Σ_k m̂_k / (√v̂_k + ε), m̂ and v̂ corrected by
    the number of a task's batches: `beta1`, `beta2`, `epsilon`. So every task takes steps of the same length at every
    coordinate, whatever its loss's scale. Heads are the protocol's optimizer's business, which is Adam in the paper. A
    task that is absent keeps its moments.

    How it fits the step: Σ_k is written as a direction and taken plainly, θ −= lr · d, with the protocol's learning
    rate; then the heads' gradients are written again and the protocol's optimizer steps, in which the shared parameters
    have a gradient of 0, as they always have there, and stay. Hence two optimizer steps per batch are counted, the
    protocol's clip sees the heads alone, and its weight decay reaches the shared parameters in the second step: as
    AdamW's does anywhere; Adam's own would be normalised there to steps as long as the tasks'.
    Cost: 1 forward, k encoder backwards, 3 k × P memory, one host copy of a truth value.

    Raises BenchError for beta1, beta2 or epsilon out of range, and for weight decay that the optimizer normalises.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("means", "squares", "seen")

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    means: TaskVectors = field(init=False, repr=False)
    squares: TaskVectors = field(init=False, repr=False)
    seen: list[int] = field(init=False, repr=False)  # batches of each task

    def check_options(self) -> None:
        super().check_options()
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1 and self.epsilon > 0):
            raise BenchError(
                f"beta1 and beta2 lie in [0, 1), epsilon above 0; got {self.beta1}, {self.beta2} and {self.epsilon}."
            )

    def setup(self, context: Context) -> None:
        super().setup(context)
        require_shared(self, context)
        if context.normalised_decay:
            raise BenchError(
                "AdaTask takes the steps of shared parameters itself, and the optimizer would normalise its weight "
                "decay alone to steps as long as these; set its weight_decay to 0, or choose torch.optim.AdamW."
            )
        count = len(context.tasks)
        self.means, self.squares, self.seen = TaskVectors(count), TaskVectors(count), [0] * count

    def update(self, step: Step) -> None:
        losses = step.losses(at="shared")
        gradients = step.gradients(losses, weights=self.weigh(losses, step))
        self.observe(losses)
        rows = gradients.matrix()
        still = torch.zeros_like(rows[0])
        if gradients.finite():
            gradients.assign(self.direction(rows, losses.tasks))
            step.apply(only="shared", rule="sgd")
            gradients.assign(still)  # and the heads' own gradients again
        else:
            gradients.assign(still + torch.nan)  # one step, which is skipped
        step.apply()

    def direction(self, rows: Float[Tensor, "k P"], tasks: tuple[int, ...]) -> Float[Tensor, "P"]:
        means, squares, (first, second) = self.means.matrix(rows), self.squares.matrix(rows), (self.beta1, self.beta2)
        found = torch.zeros_like(rows[0])
        for row, task in zip(rows, tasks, strict=True):
            self.seen[task] += 1
            means[task].lerp_(row, 1 - first)
            squares[task].mul_(second).addcmul_(row, row, value=1 - second)
            shrunk = sqrt(1 - second ** self.seen[task])  # moments begin at 0, which this corrects
            scale = squares[task].sqrt().add_(self.epsilon * shrunk)
            found.addcdiv_(means[task], scale, value=shrunk / (1 - first ** self.seen[task]))
        return found
