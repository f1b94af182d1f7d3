"""Eccentric gradient alignment."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.aligned_mtl import balance
from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import Context, GramianProblem
from mtl_bench.methods.numerical_rank import NumericalRank
from mtl_bench.methods.warm_up import tell_warm_up


@dataclass(kw_only=True, eq=False)
class EGA(GramianWeighting, NumericalRank):
    """Aligned-MTL whose aligned gradients are weighted by how little a task has improved (radarODE-MTL, Zhang et al.,
    2024).

    w = (B 1) ⊙ e with B the balance matrix of Aligned-MTL (its "min" form and `eps`). e = k softmax(ρ / T), ρ_k the
    mean loss of the last epoch over that of epoch `warmup`, counted from 0, and T = `temperature`; e = 1 up to and
    including the first epoch after it. Unlike Aligned-MTL's preference, e enters behind B 1. Large T is Aligned-MTL. A
    task without a label in epoch `warmup` is compared with its first later epoch that has one, and keeps its ρ through
    epochs that have none. A negative mean has no rate: weights are NaN from there, and steps are counted and skipped.
    Released code has warmup = 4 written into it; a run no longer than `warmup` + 2 epochs is Aligned-MTL.
    Cost: 1 forward, k encoder backwards.

    Raises BenchError for a temperature that is not positive and finite, a negative warmup, and what `NumericalRank`
    refuses.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("epochs", "reference", "ratio")

    warmup: int = 4
    temperature: float = 1.0
    epochs: int = field(default=0, init=False)
    reference: Tensor | None = field(default=None, init=False, repr=False)
    ratio: Tensor | None = field(default=None, init=False, repr=False)

    def check_options(self) -> None:
        super().check_options()
        if not self.temperature > 0:
            raise BenchError(f"method.temperature is positive and finite, got {self.temperature}.")
        if self.warmup < 0:
            raise BenchError(f"method.warmup is an epoch counted from 0, got {self.warmup}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        tell_warm_up(context, self.warmup, self.warmup + 2, "Aligned-MTL")

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        super().end_epoch(means)
        if self.epochs >= self.warmup:
            means = means.double()
            reference = torch.full_like(means, torch.nan) if self.reference is None else self.reference
            self.reference = torch.where(reference.isnan(), means, reference)
            before = torch.ones_like(means) if self.ratio is None else self.ratio
            ratio = means / self.reference  # not finite without a label, or over a mean of 0
            known = torch.where(ratio.isfinite(), ratio, before)
            self.ratio = torch.where((means < 0) | (self.reference < 0), torch.nan, known)
        self.epochs += 1

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        k = len(problem.gramian)
        aligned = balance(problem.gramian, "min", self.eps_of(k)).sum(dim=1)
        if self.ratio is None:
            return aligned
        ratio = self.ratio if problem.tasks is None else self.ratio[list(problem.tasks)]
        return aligned * k * (ratio / self.temperature).softmax(dim=0)
