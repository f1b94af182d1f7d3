"""ConFIG: equal cosines, the length of the projections, its form with two tasks, priorities."""

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.methods import IMTLG, ConFIG
from tests.methods.toys import context

DOUBLE = torch.float64


def rows_of(seed: int, k: int = 4) -> torch.Tensor:
    return torch.randn(k, k + 3, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def test_cosines_are_equal_and_the_length_is_that_of_all_projections() -> None:
    for seed in range(100):
        rows = rows_of(seed, 2 + seed % 9)
        d = ConFIG().weights(rows @ rows.T) @ rows
        cosines = rows @ d / rows.norm(dim=1) / d.norm()
        assert_close(cosines, cosines.mean().expand(len(rows)), rtol=1e-6, atol=1e-7)
        assert cosines.min() > 0
        assert_close(d.norm(), (rows @ (d / d.norm())).sum())


@pytest.mark.parametrize("length", ["min", "max", "harmonic"])
def test_lengths_that_follow_the_norms(length: str) -> None:
    rows = rows_of(0)
    norms = rows.norm(dim=1)
    expected = {"min": norms.min(), "max": norms.max(), "harmonic": 4 / (1 / norms).sum()}[length]
    rows = torch.cat([rows, torch.zeros(1, 7, dtype=DOUBLE)])  # a task with a gradient of 0 has no length
    for raw_scale, times in ((True, 1), (False, 5)):
        weights = ConFIG(length=length, raw_scale=raw_scale).weights(rows @ rows.T)  # type: ignore[arg-type]
        assert_close((weights @ rows).norm(), times * expected)
        plain = ConFIG().weights(rows @ rows.T)
        assert_close(weights / weights.norm(), plain / plain.norm())


def test_tasks_that_agree_make_the_plain_sum_at_every_length() -> None:
    for length in ("projection", "min", "max", "harmonic"):
        weights = ConFIG(length=length).weights(torch.ones(3, 3, dtype=DOUBLE))  # type: ignore[arg-type]
        assert_close(weights, torch.ones(3, dtype=DOUBLE))


def test_it_is_imtl_gs_direction() -> None:
    for seed in range(20):
        rows = rows_of(seed)
        ours, other = (method.weights(rows @ rows.T) @ rows for method in (ConFIG(), IMTLG()))
        assert_close(ours / ours.norm(), other / other.norm(), rtol=1e-6, atol=1e-8)


def test_two_tasks_in_closed_form() -> None:
    """The normalised parts of each gradient that are orthogonal to the other."""
    for seed in range(20):
        one, other = rows_of(seed, 2)
        parts = [a - (a @ b) / (b @ b) * b for a, b in ((one, other), (other, one))]
        direction = sum(part / part.norm() for part in parts)
        rows = torch.stack([one, other])
        found = ConFIG().weights(rows @ rows.T) @ rows
        assert_close(found / found.norm(), direction / direction.norm(), rtol=1e-7, atol=1e-9)


def test_priorities_are_proportions_of_the_cosines() -> None:
    method = ConFIG(priorities={"shape": 2, "colour": 3})
    method.setup(context())
    rows = rows_of(0, 3)
    d = method.weights(rows @ rows.T, tasks=(0, 1, 2)) @ rows
    cosines = rows @ d / rows.norm(dim=1)
    assert_close(cosines / cosines.sum(), torch.tensor([2, 1, 3], dtype=DOUBLE) / 6, rtol=1e-6, atol=1e-8)


def test_opposite_gradients_take_no_step() -> None:
    rows = torch.tensor([[1.0, 2.0], [-2.0, -4.0]], dtype=DOUBLE)
    assert torch.equal(ConFIG().weights(rows @ rows.T), torch.zeros(2, dtype=DOUBLE))
