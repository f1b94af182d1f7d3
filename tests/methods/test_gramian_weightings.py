"""Mathematics that every weighting from a Gramian obeys, and what their family does with the weights."""

from collections.abc import Callable

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
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
from mtl_bench.step import check_step
from tests.methods.assertions import CHECKS, Check, weights_of
from tests.methods.toys import context, toy
from tests.step.test_check_step import Loop

METHODS: dict[str, Callable[[], GramianWeighting]] = {
    "aligned-mtl": AlignedMTL,
    "aligned-mtl median": lambda: AlignedMTL(scale="median"),
    "aligned-mtl rmse": lambda: AlignedMTL(scale="rmse"),
    "cagrad": CAGrad,
    "config": ConFIG,
    "dualproj": DualProj,
    "ega": EGA,
    "fairgrad": FairGrad,
    "fairgrad 1/2": lambda: FairGrad(alpha=0.5),
    "gradvac": lambda: GradVac(beta=0.0),  # else every call moves its targets
    "imtl-g": IMTLG,
    "mgda": MGDA,
    "mgda l2": lambda: MGDA(normalise="l2"),
    "mgda loss": lambda: MGDA(normalise="loss"),
    "mgda loss+": lambda: MGDA(normalise="loss+"),
    "nash-mtl": NashMTL,
    "pcgrad": PCGrad,
    "upgrad": UPGrad,
    "wpcgrad": WPCGrad,
    "wpcgrad protected": lambda: WPCGrad(variant="protected"),
    "wpcgrad rest": lambda: WPCGrad(variant="protected", rest=True),
}
DOUBLE = torch.float64


@pytest.fixture(params=METHODS)
def make(request: pytest.FixtureRequest) -> Callable[[], GramianWeighting]:
    return METHODS[request.param]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_mathematics(make: Callable[[], GramianWeighting], check: Check) -> None:
    method = make()
    method.setup(context())
    check(method)


def test_the_direction_is_the_weighted_sum_of_the_rows(make: Callable[[], GramianWeighting]) -> None:
    problem, method = toy(dtype=DOUBLE), make()
    method.setup(problem.context)
    rows = problem.task_gradients(0)
    step = problem.step(0)
    losses = step.losses()
    method.write(step.gradients(losses), step)
    generator = torch.Generator().manual_seed(2)  # the machine's
    weights = method.weights(rows @ rows.T, losses=losses.values, tasks=step.tasks, generator=generator)
    written = torch.cat([p.grad.reshape(-1) for p in problem.machine.shared.values() if p.grad is not None])
    assert_close(written, method.bounded(method.scaled(weights), rows @ rows.T) @ rows)


def test_check_step_knows_it(make: Callable[[], GramianWeighting]) -> None:
    """A loop that does what the method says is accepted, the plain sum is not (DualProj: unless it is the sum)."""
    loop = Loop()

    def written(plain: bool) -> None:
        losses, method = loop.losses(), make()
        rows = torch.stack([torch.cat([g.flatten() for g in row]) for row in loop.rows(losses)])
        values = torch.stack([loss.detach() for loss in losses])
        given = method.weights(rows @ rows.T, losses=values, generator=torch.Generator().manual_seed(3))
        weights = torch.ones(3, dtype=DOUBLE) if plain else method.bounded(method.scaled(given), rows @ rows.T)
        loop.plain()
        pieces = (weights @ rows).split([p.numel() for p in loop.shared])
        for parameter, piece in zip(loop.shared, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)

    given = (loop.losses, loop.shared, loop.own)
    found = check_step(*given, lambda: written(plain=False), method=make(), tolerance=1e-6)
    assert found.ok, str(found)
    assert isinstance(make(), DualProj) or not check_step(*given, lambda: written(plain=True), method=make()).ok


@pytest.mark.parametrize("scale_heads", [False, True])
def test_heads_feel_the_weight_only_when_asked(scale_heads: bool) -> None:
    problem, method = toy(dtype=DOUBLE), MGDA(scale_heads=scale_heads)
    method.setup(problem.context)
    step = problem.step(0)
    losses = step.losses()
    graph = losses.graph
    assert graph is not None
    plain = [torch.autograd.grad(graph.terms[k], problem.machine.owned[k], retain_graph=True) for k in step.tasks]
    gradients = step.gradients(losses)
    weights = method.scaled(method.weights(gradients.gramian()))
    method.write(gradients, step)
    for k, expected in enumerate(plain):
        for parameter, gradient in zip(problem.machine.owned[k], expected, strict=True):
            assert parameter.grad is not None
            assert_close(parameter.grad, gradient * (weights[k] if scale_heads else 1.0))


def test_raw_scale_keeps_the_papers_scale() -> None:
    gramian = 3.0 * torch.eye(4, dtype=DOUBLE)
    for raw, total in ((False, 4.0), (True, 1.0)):  # MGDA: published weights sum to 1
        assert_close(weights_of(MGDA(raw_scale=raw), gramian).sum().item(), total)
    for raw in (False, True):  # PCGrad: published weights are the sum already
        assert_close(weights_of(PCGrad(raw_scale=raw), gramian).sum().item(), 4.0)


def test_max_norm_bounds_the_direction() -> None:
    gramian = torch.tensor([[4.0, 1.0], [1.0, 9.0]], dtype=DOUBLE)
    weights = torch.tensor([1.0, 1.0], dtype=DOUBLE)  # norm √15
    bounded = PCGrad(max_norm=1.5).bounded(weights, gramian)
    assert_close((bounded @ gramian @ bounded).sqrt().item(), 1.5)
    assert_close(bounded / bounded[0], weights)  # the direction stays
    assert torch.equal(PCGrad(max_norm=4.0).bounded(weights, gramian), weights)
    assert torch.equal(PCGrad().bounded(weights, gramian), weights)


@pytest.mark.parametrize("gramian", [torch.zeros(2, 2), torch.tensor([[1.0, -1.0], [-1.0, 1.0 - 1e-12]])])
def test_max_norm_survives_a_direction_of_length_zero(gramian: torch.Tensor) -> None:
    weights = torch.ones(2, dtype=DOUBLE)
    assert torch.equal(PCGrad(max_norm=1.0).bounded(weights, gramian.double()), weights)


def test_max_norm_is_seen_in_the_written_gradient() -> None:
    problem, method = toy(dtype=DOUBLE), MGDA(max_norm=1e-3)
    method.setup(problem.context)
    step = problem.step(0)
    method.write(step.gradients(step.losses()), step)
    written = [p.grad.reshape(-1) for p in problem.machine.shared.values() if p.grad is not None]
    assert_close(torch.cat(written).norm().item(), 1e-3)


def test_no_solver_sees_nan() -> None:
    class Watched(PCGrad):
        def weights(self, gramian: torch.Tensor, **rest: object) -> torch.Tensor:
            raise AssertionError("called with NaN")

    problem, method = toy(), Watched()
    method.setup(problem.context)
    problem.batches[0].image[0] = torch.nan
    before = problem.parameters
    method.update(problem.step(0))
    assert torch.equal(problem.parameters, before)
    assert problem.machine.ledger.failures.totals.tolist() == [1, 1]


def test_gradients_live_where_they_can() -> None:
    with pytest.raises(BenchError, match="path per task"):
        PCGrad(at="feature").setup(context(per_task_path=True))
    with pytest.raises(BenchError, match="one of shared, feature"):
        PCGrad(at="last_layer").setup(context())  # type: ignore[arg-type]
    PCGrad().setup(context(per_task_path=True))


def test_a_bare_gramian_may_be_of_single_precision(make: Callable[[], GramianWeighting]) -> None:
    rows = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))
    given = {"losses": torch.ones(3), "generator": torch.Generator().manual_seed(0)}
    assert make().weights(rows @ rows.T, **given).dtype == DOUBLE


@pytest.mark.parametrize("bound", [-1.0, 0.0, float("nan"), float("inf")])
def test_a_bound_that_is_none_is_one_sentence(bound: float) -> None:
    with pytest.raises(BenchError, match=r"method\.max_norm (is positive and finite, or null for none|must be finite)"):
        FairGrad(max_norm=bound).setup(context())


@pytest.mark.parametrize("kind", [AlignedMTL, ConFIG, EGA, IMTLG])
@pytest.mark.parametrize("eps", [-1.0, 0.5])
def test_an_eps_that_leaves_no_eigenvalue_is_one_sentence(kind: Callable[..., GramianWeighting], eps: float) -> None:
    with pytest.raises(BenchError, match=r"method\.eps, times the number of tasks"):
        kind(eps=eps).setup(context())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (torch.full((3, 3), torch.nan), "finite"),
        (torch.diag(torch.tensor([1.0, torch.inf, 1.0])), "finite"),
        (torch.ones(3, 4), r"square.*got \[3, 4\]"),
        (torch.ones(3), r"square.*got \[3\]"),
        (torch.zeros(0, 0), r"square.*got \[0, 0\]"),
        (torch.tensor([[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
        ([[1.0, 2.0], [3.0]], "nested lists of numbers"),
        (None, "nested lists of numbers"),
    ],
)
def test_what_is_no_gramian_is_one_sentence(
    make: Callable[[], GramianWeighting], given: torch.Tensor | None, says: str
) -> None:
    with pytest.raises(BenchError, match=says):
        make().weights(given, losses=torch.ones(3))  # type: ignore[arg-type]


def test_a_bare_gramian_may_be_an_array_lists_or_part_of_a_graph(make: Callable[[], GramianWeighting]) -> None:
    rows = torch.randn(3, 40, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    gramian = rows @ rows.T

    def found(given: object) -> torch.Tensor:
        draw = torch.Generator().manual_seed(0)
        return make().weights(given, losses=torch.ones(3), generator=draw)  # type: ignore[arg-type]

    expected = found(gramian)
    for given in (gramian.numpy(), gramian.tolist(), gramian.clone().requires_grad_()):
        assert torch.equal(found(given), expected)
        assert not found(given).requires_grad
