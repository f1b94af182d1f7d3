"""Multi-objective gradient correction."""

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
from mtl_bench.methods.task_values import not_negative, placed
from mtl_bench.methods.task_vectors import TaskVectors


@dataclass(kw_only=True, eq=False)
class MoCo(ComposableMethod):
    """Min-norm weights that follow gradients tracked over batches, not those of one (Fernando et al., ICLR 2023).

    y_k ← y_k − β_t (y_k − g_k), λ ← Π(λ − γ_t (Y Yᵀ + ρ I) λ), d = Yᵀλ, with β_t = β / t^σ (t counts the batches of a
    task) and γ_t = γ / t^σ' (of the method): `beta`, `beta_decay`, `gamma`, `gamma_decay`, `rho`. Λ begins uniform, Y
    at 0: the first steps are short. λ sums to 1 (times k here; `raw_scale=True`: as published). In a batch with few
    tasks λ is that of these tasks, rescaled; a task that is absent keeps its y and its share.

    The paper: Π is the nearest point of the simplex (`projection="simplex"`), g_k the gradient (`normalise="none"`).
    Code derived from the authors' applies a softmax to λ itself, which draws it towards uniform at every step
    (`projection="softmax"`), and tracks l_k g_k / ‖g_k‖ (`normalise="loss"`; a negative loss gives NaN, which is
    counted and skipped). Heads receive the gradient of their own loss (`scale_heads`: times λ).
    Cost: 1 forward, k encoder backwards, 2 k × P memory and as much for each absent task. No host copy.

    Raises BenchError for rates out of range and an unknown choice.
    """

    natural_sum: ClassVar[Literal[1]] = 1
    state: ClassVar[tuple[str, ...]] = ("tracked", "shares", "seen", "steps")

    beta: float = 0.5
    beta_decay: float = 0.5
    gamma: float = 0.1
    gamma_decay: float = 0.5
    rho: float = 0.0
    normalise: Literal["none", "loss"] = "none"
    projection: Literal["simplex", "softmax"] = "simplex"
    scale_heads: bool = False
    tracked: TaskVectors = field(init=False, repr=False)
    shares: Float[Tensor, "K"] = field(init=False, repr=False)  # λ
    seen: Float[Tensor, "K"] = field(init=False, repr=False)  # batches of each task, and of all; those that counted
    steps: Float[Tensor, ""] = field(init=False, repr=False)

    def check_options(self) -> None:
        super().check_options()
        if not (0 < self.beta <= 1 and min(self.beta_decay, self.gamma, self.gamma_decay, self.rho) >= 0):
            raise BenchError("beta lies in (0, 1], and beta_decay, gamma, gamma_decay and rho are not negative.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        require_shared(self, context)
        count, device = len(context.tasks), context.device
        self.tracked = TaskVectors(count)
        # float64, as everything that is small and accumulates: λ moves by little once γ_t has decayed
        self.shares = torch.full((count,), 1 / count, dtype=torch.float64, device=device)
        self.seen = torch.zeros(count, dtype=torch.float64, device=device)
        self.steps = torch.zeros((), dtype=torch.float64, device=device)

    def update(self, step: Step) -> None:
        losses = step.losses(at="shared")
        weights = self.weigh(losses, step)
        gradients = step.gradients(losses, weights=weights)
        values = losses.values * weights.to(losses.values)
        direction, counted = self.weighed(gradients.matrix(), values, losses.tasks, gradients.finite())
        gradients.assign(direction, counted if self.scale_heads else None, weights=counted)
        self.observe(losses)
        step.apply()

    def weighed(
        self, rows: Float[Tensor, "k P"], values: Float[Tensor, "k"], tasks: tuple[int, ...], finite: Bool[Tensor, ""]
    ) -> tuple[Float[Tensor, "P"], Float[Tensor, "k"]]:
        """d, and what each tracked gradient counts in it."""
        if self.normalise == "loss":
            values = not_negative(values)
        sound = finite & values.isfinite().all()
        if self.normalise == "loss":
            rows = rows * (values.to(rows) / (rows.norm(dim=1) + 1e-8))[:, None]  # 1e-8 as released
        seen = pick(self.seen, tasks) + 1
        every = self.tracked.average(rows, tasks, 1 - self.beta / seen**self.beta_decay, sound)
        tracked = every if len(tasks) == len(every) else torch.stack([every[task] for task in tasks])
        self.seen = placed(self.seen, torch.where(sound, seen, seen - 1), tasks)
        self.steps = torch.where(sound, self.steps + 1, self.steps)
        before = pick(self.shares, tasks)
        mass = before.sum()
        after = self.moved(torch.where(mass > 0, before / mass, 1 / len(tasks)), tracked)
        self.shares = placed(self.shares, torch.where(sound, after * mass, before), tasks)
        counted = self.scaled(after).to(tracked)
        return torch.where(sound, counted, torch.nan) @ tracked, counted

    def moved(self, shares: Float[Tensor, "k"], tracked: Float[Tensor, "k P"]) -> Float[Tensor, "k"]:
        slope = (tracked @ tracked.T).to(shares) @ shares + self.rho * shares
        found = shares - self.gamma / self.steps.clamp(min=1) ** self.gamma_decay * slope
        return found.softmax(dim=0) if self.projection == "softmax" else nearest_in_simplex(found)


def nearest_in_simplex(point: Float[Tensor, "k"]) -> Float[Tensor, "k"]:
    """The point with entries from 0 on that sum to 1 and the least distance: (x − θ)⁺, on the device.

    θ is the largest (Σ_{j ≤ i} x_j − 1) / i over the entries in falling order.
    """
    falling = point.sort(descending=True).values
    threshold = (falling.cumsum(dim=0) - 1) / torch.arange(1, len(point) + 1, device=point.device)
    return (point - threshold.max()).clamp(min=0)
