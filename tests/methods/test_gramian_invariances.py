"""The invariance table: what rescaling a loss changes, who never conflicts with a task, and what weights sum to."""

from collections.abc import Callable

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.methods import (
    EGA,
    IMTLG,
    MGDA,
    AlignedMTL,
    CAGrad,
    ConFIG,
    DualProj,
    FairGrad,
    GradVac,
    GramianWeighting,
    NashMTL,
    PCGrad,
    UPGrad,
    WPCGrad,
)
from tests.methods.toys import gramian_of

DOUBLE = torch.float64
Make = Callable[[], GramianWeighting]
METHODS: dict[str, Make] = {
    "aligned-mtl": AlignedMTL,
    "cagrad": CAGrad,
    "cagrad, large c": lambda: CAGrad(c=1e4),
    "config": ConFIG,
    "dualproj": DualProj,
    "ega": EGA,
    "fairgrad": FairGrad,
    "gradvac": GradVac,
    "imtl-g": IMTLG,
    "mgda": MGDA,
    "mgda l2": lambda: MGDA(normalise="l2", applied_to="normalised"),
    "mgda l2, applied to raw gradients": lambda: MGDA(normalise="l2"),
    "nash-mtl": NashMTL,
    "pcgrad": PCGrad,
    "upgrad": UPGrad,
    "wpcgrad": WPCGrad,
}
SAME = ("nash-mtl",)  # d itself does not change with the scale of a task
SAME_DIRECTION = ("config", "imtl-g", "mgda l2")
NEVER_CONFLICT = ("cagrad, large c", "config", "dualproj", "fairgrad", "mgda", "mgda l2", "nash-mtl", "upgrad")
SUM_ONE = ("imtl-g", "mgda", "mgda l2", "mgda l2, applied to raw gradients")
SCALE = torch.tensor([1.0, 7.0, 0.2, 1.5], dtype=DOUBLE)


def rows_of(seed: int, k: int = 4) -> Float[Tensor, "k P"]:
    return torch.randn(k, k + 3, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def direction(make: Make, rows: Float[Tensor, "k P"]) -> Float[Tensor, "P"]:
    return make().weights(rows @ rows.T, generator=torch.Generator().manual_seed(0)) @ rows


def unit(vector: Float[Tensor, "P"]) -> Float[Tensor, "P"]:
    return vector / vector.norm()


@pytest.mark.parametrize("name", METHODS)
def test_rescaling_a_loss(name: str) -> None:
    """Of the whole table: the direction stays for those that claim it, and moves for all others.

    Up to its sign: the sum of IMTL-G's weights, by which it divides, may change its own.
    """
    turned, stretched = 0.0, 0.0
    for seed in range(30):
        before, after = (direction(METHODS[name], rows_of(seed) * scale) for scale in (1.0, SCALE[:, None]))
        if name in SAME:
            assert_close(after, before, rtol=1e-8, atol=1e-9)
        turned = max(turned, min(float((unit(after) - sign * unit(before)).norm()) for sign in (1, -1)))
        stretched = max(stretched, abs(float(after.norm() / before.norm()) - 1))
    if name in (*SAME, *SAME_DIRECTION):
        assert turned < 1e-7
        assert (stretched > 0.1) == (name in SAME_DIRECTION)
    else:
        assert turned > 0.05


def test_upgrad_is_linear_in_each_gradient() -> None:
    """A task's share of d, its projected gradient, is scaled with it, and those of the others stay."""
    for seed in range(30):
        rows = rows_of(seed)
        scaled, twice = rows.clone(), rows.clone()
        scaled[1] *= 3
        twice[1] *= 5
        one, three, five = (direction(UPGrad, each) for each in (rows, scaled, twice))
        assert_close(five - one, 2 * (three - one), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", NEVER_CONFLICT)
def test_no_conflict_on_a_thousand_gramians(name: str) -> None:
    """d · g_k ≥ 0 for unit gradients, to rounding; independent ones, which ConFIG's claim needs."""
    for seed in range(1000):
        k = 2 + seed % 9
        gramian = gramian_of(k, k + 1 + seed % 5, seed)
        weights = METHODS[name]().weights(gramian)
        projections = gramian @ weights / gramian.diagonal().sqrt()
        length = (weights @ gramian @ weights).sqrt()
        assert projections.min() >= -1e-6 * length - 1e-9, (name, seed)


@pytest.mark.parametrize("name", sorted(set(METHODS) - {*NEVER_CONFLICT}))
def test_the_others_may_conflict(name: str) -> None:
    smallest = []
    for seed in range(200):
        gramian = gramian_of(4, 5, seed)
        weights = METHODS[name]().weights(gramian, generator=torch.Generator().manual_seed(seed))
        smallest.append(float((gramian @ weights).min()) / float(gramian.trace()))
    assert min(smallest) < -1e-4


@pytest.mark.parametrize("name", METHODS)
def test_sum_of_weights(name: str) -> None:
    sums = []
    for seed in range(20):
        weights = METHODS[name]().weights(gramian_of(4, 5, seed), generator=torch.Generator().manual_seed(seed))
        sums.append(float(weights.sum()))
    ones = [abs(total - 1) < 1e-9 for total in sums]
    assert all(ones) if name in SUM_ONE else not all(ones)


def test_on_a_conflicting_toy_all_go_different_ways() -> None:
    rows = torch.tensor([[1.0, 0.0, 0.2, 0.0], [-0.9, 0.5, 0.0, 0.1], [-0.6, -1.5, 0.3, 0.0]], dtype=DOUBLE)
    assert (rows @ rows.sum(dim=0)).min() < 0  # also with the sum
    found = {name: unit(direction(make, rows)) for name, make in METHODS.items()}
    found["ls"] = unit(rows.sum(dim=0))
    for one in found:
        for other in found:
            alike = {one, other} in ({"aligned-mtl", "ega"}, {"cagrad, large c", "mgda"})
            alike |= {one, other} <= {"config", "imtl-g", "mgda l2"}  # all weights are positive here
            if one < other and not alike and not {one, other} <= {"pcgrad", "gradvac"}:
                assert (found[one] - found[other]).norm() > 1e-3, (one, other)
