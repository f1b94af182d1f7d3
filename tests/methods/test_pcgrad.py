"""PCGrad: the Gramian path against vectors, and what one pass of projections guarantees."""

from itertools import permutations, product

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.methods.pcgrad import PCGrad
from tests.methods.toys import gramian_of

DOUBLE = torch.float64


def projected(rows: Float[Tensor, "k P"], orders: list[list[int]]) -> Float[Tensor, "P"]:
    """Algorithm 1 on the vectors themselves; `orders[i]` is the order of the others for task i."""
    found = torch.zeros_like(rows[0])
    for i, order in enumerate(orders):
        p = rows[i].clone()
        for j in order:
            if j != i and p @ rows[j] < 0:
                p -= (p @ rows[j]) / (rows[j] @ rows[j]) * rows[j]
        found += p
    return found


@pytest.mark.parametrize("k", [2, 3, 5, 9])
def test_equals_the_vector_form_under_the_same_orders(k: int) -> None:
    for seed in range(30):
        rows = torch.randn(k, k + 2, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
        draw = torch.Generator().manual_seed(100 + seed)
        orders = [torch.randperm(k, generator=draw).tolist() for _ in range(k)]  # one per task
        weights = PCGrad().weights(rows @ rows.T, generator=torch.Generator().manual_seed(100 + seed))
        assert_close(weights @ rows, projected(rows, orders), rtol=1e-9, atol=1e-10)


def test_every_task_draws_its_own_order() -> None:
    """The mean over many draws is the mean over all triples of orders, which a shared order does not reach."""
    rows = torch.tensor([[1.0, 0.0, 0.2], [-0.9, 0.5, 0.0], [-0.4, -1.0, 0.3]], dtype=DOUBLE)
    others = [list(permutations({0, 1, 2} - {i})) for i in range(3)]
    every = torch.stack([projected(rows, [list(order) for order in orders]) for orders in product(*others)])
    draw = torch.Generator().manual_seed(0)
    found = torch.stack([PCGrad().weights(rows @ rows.T, generator=draw) @ rows for _ in range(3000)])
    reached = {tuple(direction.round(decimals=6).tolist()) for direction in found}
    assert reached == {tuple(direction.round(decimals=6).tolist()) for direction in every}
    shared = {tuple(projected(rows, [list(o)] * 3).round(decimals=6).tolist()) for o in permutations(range(3))}
    assert shared < reached
    error = found.std(dim=0) / 3000**0.5
    assert ((found.mean(dim=0) - every.mean(dim=0)).abs() <= 5 * error + 1e-12).all()


def test_two_tasks_never_conflict_with_the_direction() -> None:
    for seed in range(500):
        gramian = gramian_of(2, 2, seed)
        weights = PCGrad().weights(gramian, generator=torch.Generator().manual_seed(seed))
        assert (gramian @ weights).min() >= -1e-12 * gramian.trace()


def test_more_tasks_may_conflict() -> None:
    """One pass is not a projection on the dual cone; a method that guaranteed it would be another one."""
    smallest = []
    for seed in range(200):
        gramian = gramian_of(4, 3, seed)
        weights = PCGrad().weights(gramian, generator=torch.Generator().manual_seed(seed))
        smallest.append((gramian @ weights).min().item() / gramian.trace().item())
    assert min(smallest) < -1e-3


def test_without_conflict_it_is_the_sum() -> None:
    rows = torch.rand(5, 9, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    weights = PCGrad().weights(rows @ rows.T, generator=torch.Generator().manual_seed(0))
    assert torch.equal(weights, torch.ones(5, dtype=DOUBLE))


@pytest.mark.parametrize("squared", [0.0, 1e-320])
def test_a_vanishing_gradient_conflicts_with_nothing(squared: float) -> None:
    gramian = torch.tensor([[1.0, 0.0, -0.5], [0.0, squared, 0.0], [-0.5, 0.0, 1.0]], dtype=DOUBLE)
    weights = PCGrad().weights(gramian, generator=torch.Generator().manual_seed(0))
    assert_close(weights, torch.tensor([1.5, 1.0, 1.5], dtype=DOUBLE))


def test_a_squared_norm_that_underflowed_divides_nothing() -> None:
    """float32 rows of 1e-23: ‖g‖² is 0 while the product with another gradient is not."""
    gramian = torch.tensor([[1.0, -1e-23], [-1e-23, 0.0]], dtype=DOUBLE)
    weights = PCGrad().weights(gramian, generator=torch.Generator().manual_seed(0))
    assert torch.equal(weights, torch.ones(2, dtype=DOUBLE))
