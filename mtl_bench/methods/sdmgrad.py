"""Direction-oriented multi-objective descent from independent samples."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.composable import ComposableMethod
from mtl_bench.methods.gradient import check_max_norm, require_shared, within_norm
from mtl_bench.methods.interface import Context, Step, TaskLosses
from mtl_bench.methods.moco import nearest_in_simplex
from mtl_bench.methods.priorities import Prioritised


@dataclass(kw_only=True, eq=False)
class SDMGrad(ComposableMethod, Prioritised):
    """MGDA regularised towards the mean gradient, its weights from two independent samples so that their gradient is
    unbiased (Xiao, Ban & Ji, NeurIPS 2023, alg. 1).

    The batch is split in three, with G₁, G₂, G₃. A = G₁G₂ᵀ / s², s the mean of √diag(G₁G₂ᵀ); `iterations` times, w ←
    Π(w − η (A w + λ A p)) with momentum, Π the projection onto the simplex, w kept from batch to batch; d = G₃ᵀ(w + λ
    p) / (1 + λ). p: `priorities` (published: 1/k). Weights sum to 1 (times k here; `raw_scale=True`: as published). λ =
    `strength` 0.3, 20 iterations, η = `lr` 10 and momentum 0.5 are the released runs' (LibMTL: η = 5); momentum starts
    at 0 for every batch (ours). In released code the three buffers are one and hold the last part's gradients, so that
    nothing is independent; it also clips d to norm 1 (`max_norm`). Heads learn from the third part alone
    (`scale_heads`: times w too). One step sees three times the samples of each gradient: compare at equal samples. A
    task that has no label in one of the parts, as one with fewer than three in the batch, is left out; a batch without
    any other takes no step. Nor is any state moved by a batch that is not finite, but for a head's gradient alone.
    Cost: 3 forwards and 3 k encoder backwards of a third of the batch (1 and k passes), up to 2 k × P memory,
    two host copies.

    Raises BenchError for λ, η, momentum or iterations out of range, and for a model with all shared parameters frozen.
    """

    natural_sum: ClassVar[Literal[1]] = 1
    revision: ClassVar[int] = 2
    parts: ClassVar[int] = 3
    state: ClassVar[tuple[str, ...]] = ("simplex",)

    strength: float = 0.3
    iterations: int = 20
    lr: float = 10.0
    momentum: float = 0.5
    scale_heads: bool = False
    max_norm: float | None = None
    simplex: Float[Tensor, "K"] = field(init=False, repr=False)

    def check_options(self) -> None:
        super().check_options()
        if not (self.strength >= 0 and self.lr > 0 and self.iterations >= 1):
            raise BenchError("method.strength is not negative, lr positive, both finite, and iterations from 1 on.")
        check_max_norm(self.max_norm)
        if not 0 <= self.momentum < 1:
            raise BenchError(f"method.momentum lies in [0, 1), got {self.momentum}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        require_shared(self, context)
        self.simplex = torch.full((len(context.tasks),), 1 / len(context.tasks), dtype=torch.float64)

    def update(self, step: Step) -> None:
        parts = step.split(self.parts)
        tasks = parts[0].tasks
        if not tasks:
            return
        seen = [parts[0].losses(at="shared")]
        scale = self.weigh(seen[0], step)
        first = parts[0].gradients(seen[0], weights=scale, rows=False)
        seen.append(parts[1].losses(at="shared"))
        inner = first.gramian(parts[1].gradients(seen[1], weights=scale, rows=False))
        del first  # its buffer is reused
        seen.append(parts[2].losses(at="shared"))
        last = parts[2].gradients(seen[2], weights=scale, rows=False)
        values = torch.stack([losses.values for losses in seen])
        gramian, preference = last.gramian(), self.preference(tasks, len(tasks))
        if all(found.isfinite().all() for found in (inner, gramian, values)):
            weights = preference
            if preference.any():  # else no task of this batch counts
                weights = self.moved(inner, tasks, preference) + self.strength * preference
            weights = self.scaled(weights / (1 + self.strength))
            last.combine(within_norm(weights, gramian, self.max_norm), heads=weights if self.scale_heads else None)
        else:
            last.combine(torch.full_like(inner[0], torch.nan))
        self.observe(TaskLosses(tasks, values.mean(dim=0)))
        step.apply()

    def moved(
        self, inner: Float[Tensor, "k k"], tasks: tuple[int, ...], preference: Float[Tensor, "k"]
    ) -> Float[Tensor, "k"]:
        """w of the tasks in the batch after its iterations; the others keep their share."""
        chosen = list(tasks)
        size = inner.diagonal().clamp(min=0).sqrt().mean().square()  # of independent samples it may be negative
        scaled = inner / size if size > 0 else inner
        share = self.simplex[chosen].sum()
        w = self.simplex[chosen] / share if share > 0 else preference.clone()
        velocity = torch.zeros_like(w)
        for _ in range(self.iterations):
            velocity = self.momentum * velocity + scaled @ (w + self.strength * preference)
            w = nearest_in_simplex(w - self.lr * velocity)
        self.simplex = self.simplex.clone()
        self.simplex[chosen] = share * w
        return w
