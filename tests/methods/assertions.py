"""What holds for every weighting from a Gramian, whatever the method. Each check takes a method that was set up."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.methods import GramianWeighting
from tests.methods.toys import gramian_of

Check = Callable[[GramianWeighting], None]


def weights_of(method: GramianWeighting, gramian: Float[Tensor, "k k"], seed: int = 0) -> Float[Tensor, "k"]:
    """On the common scale; losses are 1, tasks are in order."""
    k = len(gramian)
    generator = torch.Generator().manual_seed(seed)
    losses = torch.ones(k, dtype=torch.float64)
    return method.scaled(method.weights(gramian, losses=losses, tasks=tuple(range(k)), generator=generator))


def relative_weights(method: GramianWeighting, gramian: Float[Tensor, "k k"]) -> Float[Tensor, "k"]:
    """`weights_of`; of a method without a fixed sum, whose scale is its own, up to scale."""
    weights = weights_of(method, gramian)
    return weights * (len(weights) / weights.sum()) if method.natural_sum is None else weights


def mean_weights(method: GramianWeighting, gramian: Float[Tensor, "k k"], draws: int) -> Float[Tensor, "2 k"]:
    """Mean over draws and its standard error."""
    found = torch.stack([weights_of(method, gramian, seed) for seed in range(draws)])
    return torch.stack([found.mean(dim=0), found.std(dim=0) / draws**0.5])


def is_deterministic(method: GramianWeighting) -> bool:
    gramian = gramian_of(4, 3, seed=1)
    return all(torch.equal(weights_of(method, gramian, 0), weights_of(method, gramian, seed)) for seed in range(1, 9))


def assert_weights_are_host_float64_and_repeatable(method: GramianWeighting) -> None:
    gramian = gramian_of(5, 4, seed=0)
    before = gramian.clone()
    weights = weights_of(method, gramian, seed=3)
    assert weights.shape == (5,)
    assert weights.dtype == torch.float64
    assert weights.device.type == "cpu"
    assert torch.equal(weights, weights_of(method, gramian, seed=3))
    assert torch.equal(gramian, before)


def assert_identical_gradients_give_their_sum(method: GramianWeighting) -> None:
    """d = Gᵀw with rows g is (Σw) g: parallel always, and the plain sum k g on the common scale."""
    for k in (2, 3, 7):
        weights = relative_weights(method, torch.full((k, k), 2.5, dtype=torch.float64))
        assert_close(weights.sum().item(), float(k))


def assert_orthogonal_equal_norms_give_equal_weights(method: GramianWeighting) -> None:
    for k in (2, 3, 8):
        weights = relative_weights(method, 3.0 * torch.eye(k, dtype=torch.float64))
        assert_close(weights, torch.ones(k, dtype=torch.float64))


def assert_one_task_is_plain_descent(method: GramianWeighting) -> None:
    for square in (1e-12, 1.0, 1e12):
        assert_close(relative_weights(method, torch.tensor([[square]], dtype=torch.float64)).item(), 1.0)


def assert_permutation_equivariant(method: GramianWeighting) -> None:
    """Exactly, or for random methods in the mean, within five standard errors."""
    order = torch.tensor([2, 0, 3, 1])
    for seed in range(3):
        gramian = gramian_of(4, 6, seed)
        permuted = gramian[order][:, order]
        if is_deterministic(method):
            assert_close(weights_of(method, permuted), weights_of(method, gramian)[order], rtol=1e-6, atol=1e-8)
        else:
            (here, error), (there, other) = mean_weights(method, gramian, 400), mean_weights(method, permuted, 400)
            assert ((there - here[order]).abs() <= 5 * (error[order] + other) + 1e-9).all()


def assert_degenerate_gradients_give_finite_weights(method: GramianWeighting) -> None:
    rows = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cases = {
        "duplicate": torch.cat([rows, rows[:1]]),
        "zero": torch.cat([rows, torch.zeros_like(rows[:1])]),
        "opposite": torch.cat([rows, -rows[:1]]),
        "two opposite": torch.cat([rows[:1], -rows[:1]]),
        "all zero": torch.zeros_like(rows),
        "tiny": rows * 1e-30,
        "huge": rows * 1e18,
        "very different": rows * torch.tensor([[1e-8], [1.0], [1e8]], dtype=torch.float64),
    }
    for name, matrix in cases.items():
        weights = weights_of(method, matrix @ matrix.T)
        assert weights.isfinite().all(), name
        assert (weights @ matrix).isfinite().all(), name
    # A squared norm that float32 rows let underflow, while products with the other gradient did not.
    weights = weights_of(method, torch.tensor([[1.0, -1e-30], [-1e-30, 0.0]], dtype=torch.float64))
    assert weights.isfinite().all()
    assert method.solver_failures == 0


CHECKS: list[Check] = [
    assert_weights_are_host_float64_and_repeatable,
    assert_identical_gradients_give_their_sum,
    assert_orthogonal_equal_norms_give_equal_weights,
    assert_one_task_is_plain_descent,
    assert_permutation_equivariant,
    assert_degenerate_gradients_give_finite_weights,
]
