"""Loss weightings, GradDrop and ExcessMTL against TorchJD, a thousand random inputs each."""

from collections.abc import Iterator

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.methods.excess_mtl import ExcessMTL
from mtl_bench.methods.gls import GeometricLoss
from mtl_bench.methods.graddrop import GradDrop
from mtl_bench.methods.imtl_l import IMTLL
from mtl_bench.methods.stch import STCH
from tests.methods.toys import context

aggregation = pytest.importorskip("torchjd.aggregation", reason="TorchJD, the other implementation, is not installed")
scalarization = pytest.importorskip("torchjd.scalarization", reason="this TorchJD has no scalarizations")

DOUBLE = torch.float64
SOUND = torch.tensor(True)
COUNT = 1000


def named(k: int) -> tuple[str, ...]:
    return tuple(f"t{task}" for task in range(k))


def losses(count: int = COUNT) -> Iterator[Float[Tensor, "k"]]:
    """Over four orders of magnitude, k from 2 to 11."""
    draw = torch.Generator().manual_seed(0)
    for n in range(count):
        yield torch.randn(2 + n % 10, generator=draw, dtype=DOUBLE).mul(2).exp()


def jacobians(count: int = COUNT) -> Iterator[Float[Tensor, "k P"]]:
    """K from 2 to 11: well and badly conditioned, rank-deficient, zero, duplicate and opposite rows."""
    draw = torch.Generator().manual_seed(0)
    for n in range(count):
        k, kind = 2 + n % 10, n // 10 % 6
        rows = torch.randn(k, 1 if kind == 2 else 13, generator=draw, dtype=DOUBLE)
        if kind == 1:
            rows = rows * torch.logspace(-3, 3, k, dtype=DOUBLE)[:, None]
        elif kind == 2:
            rows = rows @ torch.randn(1, 13, generator=draw, dtype=DOUBLE)
        elif kind > 2:
            rows[1] = {3: 0.0, 4: 1.0, 5: -1.0}[kind] * rows[0]
        yield rows


def derivative(objective: object, values: Float[Tensor, "k"]) -> Float[Tensor, "k"]:
    free = values.clone().requires_grad_()
    (found,) = torch.autograd.grad(objective(free), free)  # type: ignore[operator]
    return found


def test_gls() -> None:
    method, theirs = GeometricLoss(), scalarization.GeometricMean()
    method.setup(context(named(11)))
    for values in losses():
        found = method.weights(values, tasks=tuple(range(len(values))))
        assert_close(found, derivative(theirs, values), rtol=1e-4, atol=0)  # ours adds 1e-8 to a loss


@pytest.mark.parametrize("mu", [0.1, 1.0])
def test_stch_of_losses(mu: float) -> None:
    """Ours has K times their preference, and so K times their μ, and K² their weights."""
    draw = torch.Generator().manual_seed(1)
    for values in losses(COUNT // 2):
        k = len(values)
        shares = torch.rand(k, generator=draw, dtype=DOUBLE) + 0.1
        shares, ideal = shares / shares.sum(), 0.9 * float(values.min())
        method = STCH(form="loss", mu=k * mu, ideal=ideal, priorities=dict(zip(named(k), shares.tolist(), strict=True)))
        method.setup(context(named(k)))
        theirs = scalarization.STCH(mu=mu, weights=shares, reference=torch.full((k,), ideal, dtype=DOUBLE))
        found = method.weights(values, tasks=tuple(range(k))) / k**2
        assert_close(found, derivative(theirs, values), rtol=1e-3, atol=1e-5)  # our factors are float32


def test_imtl_l_under_adam() -> None:
    for k in range(2, 12):
        ours, theirs = IMTLL(lr=0.05), scalarization.IMTLL(k)
        ours.setup(context(named(k)))
        adam = torch.optim.Adam(theirs.parameters(), lr=0.05)
        for values in [one.float() for one in losses() if len(one) == k]:  # a hundred
            tasks = tuple(range(k))
            assert_close(ours.weights(values, tasks=tasks), derivative(theirs, values), rtol=1e-4, atol=1e-6)
            ours.observe(values, tasks=tasks)
            theirs(values).backward()
            adam.step()
            adam.zero_grad()


def test_excess_mtl() -> None:
    """Twenty batches each; theirs takes its reference from the first, as ours, if that is called a warm-up."""
    every = list(jacobians())
    for start in range(10):
        k = 2 + start
        ours, theirs = ExcessMTL(step_size=0.3), aggregation.ExcessMTL(robust_step_size=0.3, n_warmup_steps=1)
        ours.setup(context(named(k)))
        seen = [rows for rows in every if len(rows) == k]
        for rows in seen:
            ours.follow(rows, tuple(range(k)), SOUND)
            assert_close(ours.log_weights.softmax(dim=0), theirs.weighting(rows), rtol=1e-5, atol=1e-9)
        assert len(seen) == COUNT // 10


@pytest.mark.parametrize("leak", [0.0, 0.25, None])
def test_graddrop_with_the_same_random_numbers(leak: float | None) -> None:
    """None: another leak for each task."""
    for seed, rows in enumerate(jacobians(COUNT // 2)):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            leaks = torch.linspace(0, 1, len(rows), dtype=DOUBLE) if leak is None else torch.full_like(rows[:, 0], leak)
            expected = aggregation.GradDrop(leak=leaks)(rows)
        found = GradDrop().at_parameters(rows, leaks if leak is None else leak, torch.Generator().manual_seed(seed))
        assert_close(found, expected)
