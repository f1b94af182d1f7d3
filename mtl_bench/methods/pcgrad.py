"""Projecting conflicting gradients."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.gradient import GramianWeighting
from mtl_bench.methods.interface import GramianProblem

ENUMERABLE = 4  # tasks up to which all ((k − 1)!)^k orders are listed for `check_step`: 1,296
ORDERS = 120  # of tasks that `mistakes` goes through: all up to five


@dataclass(kw_only=True, eq=False)
class PCGrad(GramianWeighting):
    """Each task's gradient loses its part against every other one it conflicts with (Yu et al., NeurIPS 2020, alg. 1).

    For each i, over the other tasks j in random order: if p_i · g_j < 0, p_i ← p_i − (p_i · g_j / ‖g_j‖²) g_j, with g_j
    the original gradient; d = Σ_i p_i. Here p_i = Σ_j C_ij g_j, so that only the coefficients C [k, k] are tracked:
    p_i · g_j = C_i G_j, and w = Cᵀ1. A zero gradient conflicts with nothing. One order is drawn per i; many ports share
    one, average instead of summing, or project tensor by tensor, which are other methods.
    Cost: 1 forward, k encoder backwards, k³ on the host.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        k = len(problem.gramian)
        return projected(problem.gramian, [torch.randperm(k, generator=problem.generator).tolist() for _ in range(k)])

    def outcomes(self, problem: GramianProblem) -> Iterator[Float[Tensor, "k"]]:
        k = len(problem.gramian)
        if k <= ENUMERABLE:
            others = [list(permutations([j for j in range(k) if j != i])) for i in range(k)]
            yield from (projected(problem.gramian, orders) for orders in product(*others))
        elif not (problem.gramian < 0).any():
            yield torch.ones(k, dtype=torch.float64)  # nobody yields, whatever the order

    def mistakes(self, problem: GramianProblem) -> Iterator[tuple[str, Float[Tensor, "k"]]]:
        gramian, k = problem.gramian, len(problem.gramian)
        for order in islice(permutations(range(k)), ORDERS):
            shared = projected(gramian, [order] * k)
            yield "one random order of the tasks is shared by all, where each draws its own", shared
            yield "gradients are projected onto others that are projected already", in_place(gramian, [order] * k)


def projected(gramian: Float[Tensor, "k k"], orders: Sequence[Sequence[int]]) -> Float[Tensor, "k"]:
    """w = Cᵀ1 after each gradient i was projected onto the normal planes of the others in the order `orders[i]`."""
    inner = gramian.numpy()
    coefficients = np.eye(len(gramian))
    for i, order in enumerate(orders):
        for j in order:
            along = coefficients[i] @ inner[:, j]
            if j != i and along < 0 < inner[j, j]:  # a squared norm may underflow to 0
                coefficients[i, j] -= along / inner[j, j]
    return torch.from_numpy(coefficients.sum(axis=0))


def in_place(gramian: Float[Tensor, "k k"], orders: Sequence[Sequence[int]]) -> Float[Tensor, "k"]:
    """`projected`, but onto gradients as they are by then: what a loop that overwrites its list does."""
    inner = gramian.numpy()
    coefficients = np.eye(len(gramian))
    for i, order in enumerate(orders):
        for j in order:
            along, square = (coefficients[i] @ inner @ coefficients[j], coefficients[j] @ inner @ coefficients[j])
            if j != i and along < 0 < square:
                coefficients[i] -= along / square * coefficients[j]
    return torch.from_numpy(coefficients.sum(axis=0))
