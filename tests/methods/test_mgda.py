"""MGDA: closed form, common descent, the normalisations, and the solver's failures."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods import mgda
from mtl_bench.methods.mgda import MGDA
from tests.methods.toys import context, gramian_of, toy

DOUBLE = torch.float64


def closed_form(a: float, b: float, c: float) -> float:
    """Weight of the first of two gradients with squared norms a, c and inner product b."""
    if b >= a:
        return 1.0
    return 0.0 if b >= c else (c - b) / (a + c - 2 * b)


def test_two_tasks_in_closed_form() -> None:
    seen = set()
    for seed in range(300):
        gramian = gramian_of(2, 2, seed)
        expected = closed_form(gramian[0, 0].item(), gramian[0, 1].item(), gramian[1, 1].item())
        weights = MGDA().weights(gramian)
        assert_close(weights, torch.tensor([expected, 1 - expected], dtype=DOUBLE), rtol=1e-9, atol=1e-12)
        seen.add(0 < expected < 1)
    assert seen == {True, False}


def test_no_conflict_on_a_thousand_gramians() -> None:
    """d · g_k ≥ ‖d‖² for every k."""
    for seed in range(1000):
        k = 2 + seed % 9
        gramian = gramian_of(k, 1 + seed % 12, seed)
        weights = MGDA().weights(gramian)
        products = gramian @ weights
        assert products.min() >= weights @ products - 1e-10 * gramian.trace()


def test_zero_only_at_a_pareto_stationary_point() -> None:
    three = torch.tensor([[math.cos(a), math.sin(a)] for a in (0.0, 2.1, 4.2)], dtype=DOUBLE)  # 0 is in their hull
    weights = MGDA().weights(three @ three.T)
    assert (weights @ three).norm() < 1e-12
    half = torch.tensor([[1.0, 2.0], [1.0, -1.0]], dtype=DOUBLE)
    assert (MGDA().weights(half @ half.T) @ half).norm() > 0.9


@pytest.mark.parametrize("normalise", ["l2", "loss", "loss+"])
def test_normalisation_solves_for_scaled_gradients(normalise: str) -> None:
    """The solve sees g_k divided by its scale; its weights come back as they are."""
    for seed in range(20):
        draw = torch.Generator().manual_seed(seed)
        rows = torch.randn(4, 6, generator=draw, dtype=DOUBLE) * torch.tensor([[0.1], [1.0], [5.0], [30.0]])
        losses = torch.rand(4, generator=draw, dtype=DOUBLE) + 0.1
        norms = rows.norm(dim=1)
        scale = {"l2": norms, "loss": losses, "loss+": losses * norms}[normalise]
        divided = rows / scale[:, None]
        expected = MGDA().weights(divided @ divided.T)
        found = MGDA(normalise=normalise).weights(rows @ rows.T, losses=losses)  # type: ignore[arg-type]
        assert_close(found, expected, rtol=1e-7, atol=1e-9)


def test_a_bare_gramian_lacks_the_losses_to_divide_by() -> None:
    for normalise in ("loss", "loss+"):
        with pytest.raises(BenchError, match=r"divides by the losses; give weights\(gramian, losses=…\)"):
            MGDA(normalise=normalise).weights(gramian_of(3, 5, seed=0))  # type: ignore[arg-type]


def test_l2_is_blind_to_the_scale_of_a_task() -> None:
    gramian = gramian_of(3, 5, seed=0)
    scale = torch.tensor([1e-3, 1.0, 1e3], dtype=DOUBLE)
    method = MGDA(normalise="l2")
    assert_close(method.weights(gramian * torch.outer(scale, scale)), method.weights(gramian))


def test_losses_of_the_normalisation_are_the_weighted_ones() -> None:
    class Watched(MGDA):
        def weights(self, gramian: torch.Tensor, **rest: object) -> torch.Tensor:
            self.seen = rest["losses"]
            return super().weights(gramian, **rest)  # type: ignore[arg-type]

    problem, method = toy(), Watched(normalise="loss")
    method.setup(context(static_weights={"shape": 2.0, "depth": 0.5, "colour": 1.0}))
    step = problem.step(0)
    method.update(step)
    assert_close(method.seen, step.calls.values[0].double() * torch.tensor([2.0, 0.5, 1.0], dtype=DOUBLE))


def test_the_upper_bound_stacks_all_samples() -> None:
    """At the features the Gramian is of [batch × width] rows, not of their sums over the batch."""
    problem, method = toy(dtype=DOUBLE), MGDA(at="feature", raw_scale=True)
    method.setup(problem.context)
    step = problem.step(0)
    graph = step.losses().graph
    assert graph is not None
    rows = [torch.autograd.grad(graph.terms[k], graph.taps[k], retain_graph=True)[0] for k in range(3)]
    stacked = torch.stack([row.reshape(-1) for row in rows])
    weights = MGDA().weights(stacked @ stacked.T)
    summed = torch.stack([row.sum(dim=0) for row in rows])
    assert not torch.allclose(weights, MGDA().weights(summed @ summed.T), atol=1e-2)
    expected = weights @ problem.task_gradients(0)
    method.write(step.gradients(step.losses(), at="feature"), step)
    written = torch.cat([p.grad.reshape(-1) for p in problem.machine.shared.values() if p.grad is not None])
    assert_close(written, expected)


def test_a_missed_optimum_is_counted_and_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    gaps = iter([0.0, 1e-9, 1e-7, 0.5])
    monkeypatch.setattr(mgda, "min_norm", lambda gramian: (np.full(len(gramian), 0.5), next(gaps)))
    method = MGDA()
    method.setup(context())
    for expected in (0, 0, 1, 2):
        method.weights(torch.eye(2, dtype=DOUBLE))
        assert method.solver_failures == expected
    other = MGDA()
    other.setup(context())
    other.load_state_dict(method.state_dict())
    assert other.solver_failures == 2


def test_an_unknown_normalisation_is_refused() -> None:
    with pytest.raises(BenchError, match=r"method\.normalise is one of none, l2, loss, loss"):
        MGDA(normalise="max").setup(context())  # type: ignore[arg-type]
