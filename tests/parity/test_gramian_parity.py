"""Gramian methods against TorchJD's on 1,000 random Jacobians each, in float64."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.methods import (
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
    SDMGrad,
    UPGrad,
)
from tests.methods.toys import context
from tests.parity.jacobians import INDEPENDENT, jacobians

theirs = pytest.importorskip("torchjd.aggregation", reason="TorchJD, to compare with, is not installed")
linalg = pytest.importorskip("torchjd.linalg", reason="TorchJD, to compare with, is not installed")

COUNT = 1000
EPS = torch.finfo(torch.float64).eps


def direction(method: GramianWeighting, rows: Float[Tensor, "k P"], **keywords: Any) -> Float[Tensor, "P"]:
    return method.weights(rows @ rows.T, **keywords) @ rows


def their_direction(weighting: Callable[[Tensor], Tensor], rows: Float[Tensor, "k P"]) -> Float[Tensor, "P"]:
    return weighting(rows @ rows.T) @ rows


def assert_near(one: Float[Tensor, "P"], other: Float[Tensor, "P"], scale: float, tolerance: float, say: str) -> None:
    distance = float((one - other).norm())
    assert distance <= tolerance * scale, f"{say}: {distance:.3g} apart on a scale of {scale:.3g}"


def longest(rows: Float[Tensor, "k P"]) -> float:
    return float(rows.norm(dim=1).max())


def test_the_jacobians_conflict() -> None:
    kinds = {}
    for kind, rows in jacobians(COUNT):
        kinds.setdefault(kind, []).append(bool((rows @ rows.T < 0).any()))
    assert len(kinds) == 6
    assert all(sum(conflicts) > 0.8 * len(conflicts) for conflicts in kinds.values())


@pytest.mark.parametrize(
    ("ours", "weighting", "tolerance"),
    [(PCGrad, theirs.PCGradWeighting, 1e-9), (GradVac, theirs.GradVacWeighting, 1e-4)],  # theirs adds 1e-8 to norms
)
def test_projections_in_the_same_orders(ours: Any, weighting: Any, tolerance: float) -> None:
    for n, (kind, rows) in enumerate(jacobians(COUNT)):
        with torch.random.fork_rng():
            torch.manual_seed(n)
            expected = their_direction(weighting(), rows)
        found = direction(ours(), rows, generator=torch.Generator().manual_seed(n))
        assert_near(found, expected, longest(rows), tolerance, kind)


def test_gradvac_keeps_the_same_targets() -> None:
    weighting, method, draw = theirs.GradVacWeighting(beta=0.3), GradVac(beta=0.3), torch.Generator().manual_seed(1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for n in range(50):
            rows = torch.randn(5, 8, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
            assert_close(
                direction(method, rows, generator=draw), their_direction(weighting, rows), rtol=1e-5, atol=1e-5
            )


def test_mgda_is_never_longer() -> None:
    for kind, rows in jacobians(COUNT):
        found, expected = direction(MGDA(), rows).norm(), their_direction(theirs.MGDAWeighting(), rows).norm()
        assert found <= expected + 1e-7 * longest(rows), kind  # rounding of the Gramian's square root


def test_cagrad_never_has_a_worse_objective() -> None:
    """min_k g_k · d of the d within c ‖g₀‖ of the mean gradient."""
    for n, (kind, rows) in enumerate(jacobians(COUNT)):
        c = (0.2, 0.4, 0.9)[n % 3]
        mean, method = rows.mean(dim=0), CAGrad(c=c, rescale="none")
        found, expected = direction(method, rows), their_direction(theirs.CAGradWeighting(c, norm_eps=1e-9), rows)
        unit = float(mean.norm()) * longest(rows)
        assert (found - mean).norm() <= c * mean.norm() * (1 + 1e-6), kind
        if (expected - mean).norm() <= c * mean.norm() * (1 + 1e-6):  # theirs is 0 near stationarity, outside the ball
            assert (rows @ found).min() >= (rows @ expected).min() - 1e-6 * unit, kind
        assert method.solver_failures == 0, kind


def test_nash_mtl_solves_where_there_is_a_solution() -> None:
    for kind, rows in jacobians(COUNT):
        gramian, method = rows @ rows.T, NashMTL()
        weights = method.weights(gramian)
        assert method.solver_failures == 0, kind
        if kind in ("well conditioned", "badly conditioned", "duplicate rows"):
            assert ((weights * (gramian @ weights)) - 1).abs().max() <= 1e-8, kind


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_fairgrad_solves_and_theirs_agrees_where_it_does(alpha: float) -> None:
    agreed = 0
    for kind, rows in jacobians(COUNT):
        gramian, method = rows @ rows.T, FairGrad(alpha=alpha)
        weights = method.weights(gramian)
        assert method.solver_failures == 0, kind
        if kind == INDEPENDENT[0] or (kind in INDEPENDENT and alpha >= 1):  # below 1, gains differ too much for float64
            assert (gramian @ weights * weights ** (1 / alpha) - 1).abs().max() <= 1e-6, kind
        if kind == INDEPENDENT[0] and len(rows) < 7:
            other = theirs.FairGradWeighting(alpha)(gramian)
            if (gramian @ other * other ** (1 / alpha) - 1).abs().max() < 1e-4:
                assert_close(weights, other, rtol=1e-2, atol=1e-3)
                agreed += 1
    assert agreed > 50


def test_imtl_g_equal_where_gradients_are_independent() -> None:
    for kind, rows in jacobians(COUNT, INDEPENDENT):
        found, expected = direction(IMTLG(eps=EPS), rows), their_direction(theirs.IMTLGWeighting(), rows)
        assert_near(found, expected, max(float(found.norm()), 1e-3 * longest(rows)), 1e-6, kind)


def test_imtl_g_has_no_larger_spread_of_projections_elsewhere() -> None:
    for kind, rows in jacobians(COUNT):
        norms = rows.norm(dim=1)
        units = rows[norms > 0] / norms[norms > 0, None]
        spreads = []
        for found in (direction(IMTLG(eps=EPS), rows), their_direction(theirs.IMTLGWeighting(), rows)):
            projections = units @ found
            spreads.append(float((projections - projections.mean()).norm() / max(float(projections.norm()), 1e-12)))
        assert spreads[0] <= spreads[1] + 1e-6, kind


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
def test_aligned_mtl(scale: Any) -> None:
    compared = 0
    for kind, rows in jacobians(COUNT):
        eigenvalues = torch.linalg.eigvalsh(rows @ rows.T)
        relative = eigenvalues / (eigenvalues[-1] * len(rows) * EPS)
        if ((relative > 0.7) & (relative < 1e6)).any():
            continue  # what is kept of them, or how long it is, is decided by rounding
        compared += 1
        found = direction(AlignedMTL(scale=scale, eps=EPS), rows)
        expected = their_direction(theirs.AlignedMTLWeighting(scale_mode=scale), rows) * len(rows)
        assert_near(found, expected, float(expected.norm()), 1e-4, kind)
    assert compared > 0.8 * COUNT


@pytest.mark.parametrize("ours", [UPGrad, DualProj])
def test_projections_onto_the_dual_cone(ours: Any) -> None:
    """Theirs needs a ridge, which hides short gradients behind long ones: it is asked in units of every gradient."""
    projector = linalg.QuadprogProjector(norm_eps=1e-12, reg_eps=1e-11)
    for kind, rows in jacobians(COUNT):
        norms, k = rows.norm(dim=1), len(rows)
        units = torch.nan_to_num(rows / norms[:, None])
        means = norms.diag() / k if ours is UPGrad else norms[None] / k
        expected = (projector(means, units @ units.T) @ units).sum(dim=0)
        method = ours()
        found = direction(method, rows)
        assert_near(found, expected, longest(rows), 1e-5, kind)
        assert (units @ found).min() >= -1e-9 * longest(rows), kind
        assert method.solver_failures == 0, kind


@pytest.mark.parametrize(("ours", "weighting"), [(UPGrad, "UPGradWeighting"), (DualProj, "DualProjWeighting")])
def test_with_their_default_ridge_the_directions_are_near(ours: Any, weighting: str) -> None:
    for kind, rows in jacobians(200, INDEPENDENT[:1]):
        found, expected = direction(ours(), rows), their_direction(getattr(theirs, weighting)(), rows)
        assert_near(found, expected, longest(rows), 0.01, kind)


def test_config() -> None:
    for kind, rows in jacobians(COUNT):
        found, expected = direction(ConFIG(eps=EPS), rows), theirs.ConFIG()(rows)
        if expected.norm() < 1e-6 * longest(rows):  # opposite gradients: theirs is rounding as a unit vector
            assert found.norm() == 0
            continue
        assert_near(found, expected, float(expected.norm()), 1e-5, kind)


def test_preferences_mean_the_same() -> None:
    names = ("a", "b", "c", "d")
    preference = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    projector = linalg.QuadprogProjector(norm_eps=1e-12, reg_eps=1e-11)
    pairs = [
        (UPGrad, theirs.UPGradWeighting(preference, projector=projector)),
        (DualProj, theirs.DualProjWeighting(preference, projector=projector)),
        (AlignedMTL, theirs.AlignedMTLWeighting(4 * preference)),
    ]
    for _, rows in jacobians(40, INDEPENDENT[:1]):
        for ours, weighting in pairs:
            method = ours(priorities=dict(zip(names, (4, 3, 2, 1), strict=True)))
            method.setup(context(names))
            if len(rows) == 4:
                found = direction(method, rows, tasks=(0, 1, 2, 3))
                assert_close(found, their_direction(weighting, rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("lr", "iterations"), [(0.3, 5), (10.0, 2)])
def test_sdmgrad_moves_its_weights_as_theirs(lr: float, iterations: int) -> None:
    """Twenty iterations at 10 jump from corner to corner, and rounding decides to which."""
    draw = torch.Generator().manual_seed(0)
    for n in range(COUNT // 2):
        k = 2 + n % 10
        method, weighting = SDMGrad(lr=lr, iterations=iterations), theirs.SDMGradWeighting(lr=lr, n_iter=iterations)
        method.setup(context([f"task {n}" for n in range(k)]))
        preference = torch.full((k,), 1 / k, dtype=torch.float64)
        for _ in range(2):  # batches; both keep w between them
            signal = torch.randn(k, k + 2, generator=draw, dtype=torch.float64)
            first, second = (signal + torch.randn(k, k + 2, generator=draw, dtype=torch.float64) for _ in range(2))
            found = method.moved(first @ second.T, tuple(range(k)), preference)
            expected = weighting(first @ second.T)
            assert_close((found + 0.3 * preference) / 1.3, expected, rtol=1e-5, atol=1e-6)
