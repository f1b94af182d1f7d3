"""Projecting conflicting gradients, with a say in who yields."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.methods.pcgrad import ENUMERABLE, projected
from mtl_bench.methods.priorities import Prioritised


@dataclass(kw_only=True, eq=False)
class WPCGrad(GramianWeighting, Prioritised):
    """PCGrad with its uniform choice replaced by a probability q: tasks with a high q_k tend to stay unprojected, and
    the others yield (Bohn et al., ICONIP 2024). Without conflict it is the plain sum.

    The paper's text leaves one sampled task intact, its algorithm goes through a sampled order; both are here:
    * `variant="order"` (ours to recommend): an order of the tasks is drawn by q without replacement, and each gradient
      is projected off those of the tasks before it (as they were) with which it conflicts;
    * `variant="protected"`: one task c is drawn by q, and every other gradient is projected off g_c if they conflict,
      so that d · g_c > 0; `rest` then runs PCGrad among the others, which may bring back a conflict with c.
    With equal q neither is PCGrad. An unprotected task may end with d · g < 0: that is what a priority means.

    q is p (`priorities`), or with `gamma` dynamic: proportional to (mean loss of the last epoch)^γ, all equal in the
    first; a task without a label in an epoch keeps its mean. γ of the paper's runs is not known here.
    Cost: 1 forward, k encoder backwards, k³ on the host.

    Raises BenchError for priorities together with gamma, and for a gamma that is not finite.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("means",)

    variant: Literal["order", "protected"] = "order"
    rest: bool = False
    gamma: float | None = None
    means: Tensor | None = field(default=None, init=False, repr=False)

    def check_options(self) -> None:
        super().check_options()
        if self.gamma is not None and self.priorities is not None:
            raise BenchError("Give either priorities or gamma, which makes them follow the losses, not both.")

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        super().end_epoch(means)
        if self.gamma is not None:
            before = means if self.means is None else self.means
            self.means = torch.where(means.isnan(), before, means).double()

    def chances(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        """q of the tasks in the batch."""
        k = len(problem.gramian)
        means = None if self.means is None else self.means[list(problem.tasks or range(k))]
        if self.gamma is None or means is None or means.isnan().all():
            return self.preference(problem.tasks, k)
        means = means.nan_to_num(nan=float(means.nanmean()))  # never seen with a label
        return (self.gamma * means.clamp(min=1e-30).log()).softmax(dim=0)

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        chances = self.chances(problem)
        if not chances.any():  # every task here has priority 0
            return chances
        order = drawn(chances, problem.generator)
        if self.variant == "order":
            return in_order(problem.gramian, order)
        first, k = order[0], len(order)
        shuffled = [torch.randperm(k, generator=problem.generator).tolist() for _ in range(k)] if self.rest else None
        return protected(problem.gramian, first, shuffled)

    def outcomes(self, problem: GramianProblem) -> Iterator[Float[Tensor, "k"]]:
        """Of every order, also one that a priority of 0 rules out."""
        k = len(problem.gramian)
        if self.variant == "order" and k <= ENUMERABLE:
            yield from (in_order(problem.gramian, order) for order in permutations(range(k)))
        elif self.variant == "protected" and not self.rest:
            yield from (protected(problem.gramian, first) for first in range(k))
        elif self.variant == "protected" and k <= ENUMERABLE:
            for first in range(k):
                others = [permutations(j for j in range(k) if j not in (first, i)) for i in range(k)]
                yield from (protected(problem.gramian, first, orders) for orders in product(*others))
        elif not (problem.gramian < 0).any():
            yield torch.ones(k, dtype=torch.float64)  # nobody yields, whatever the order


def drawn(chances: Float[Tensor, "k"], generator: torch.Generator | None) -> list[int]:
    """All tasks, drawn one after another by their chances; those with none come last, in any order."""
    waiting = torch.empty_like(chances).exponential_(generator=generator) / chances.clamp(min=1e-300)
    return [k for *_, k in sorted(zip((chances == 0).tolist(), waiting.tolist(), range(len(chances)), strict=True))]


def in_order(gramian: Float[Tensor, "k k"], order: Sequence[int]) -> Float[Tensor, "k"]:
    """Each gradient projected off those before it in `order`."""
    before: list[list[int]] = [[] for _ in order]
    for place, task in enumerate(order):
        before[task] = list(order[:place])
    return projected(gramian, before)


def protected(
    gramian: Float[Tensor, "k k"], first: int, shuffled: Sequence[Sequence[int]] | None = None
) -> Float[Tensor, "k"]:
    """Each gradient but that of `first` projected off it, and off the others in the orders `shuffled`."""
    k = len(gramian)
    others = [[] if shuffled is None else [j for j in shuffled[i] if j != first] for i in range(k)]
    return projected(gramian, [[] if i == first else [first, *others[i]] for i in range(k)])
