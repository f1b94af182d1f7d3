"""DB-MTL against its equations."""

from typing import Any

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods.db_mtl import DBMTL
from mtl_bench.training.diagnostics import used_weights
from tests.methods.toys import context, toy

SOUND = torch.tensor(True)
ALL = (0, 1, 2)
DOUBLE = torch.float64
ONES = torch.ones(3, dtype=DOUBLE)


def ready(**options: Any) -> DBMTL:
    method = DBMTL(**options)
    method.setup(context())
    return method


def rows_of(seed: int) -> Float[Tensor, "k P"]:
    scale = torch.tensor([0.1, 1.0, 5.0], dtype=DOUBLE)[:, None]
    return scale * torch.randn(3, 6, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_equals_its_equations(decay: float) -> None:
    method, b = ready(beta_decay=decay), torch.zeros(3, 6, dtype=DOUBLE)
    for t in range(1, 9):
        g, share = rows_of(t), 0.9 / t**decay
        found = method.weighed(g, ALL, SOUND)[0]
        b = g + share * (b - g)
        norms = b.norm(dim=1)
        assert_close(found, ((norms.max() / (norms + 1e-8))[:, None] * b).sum(dim=0))


def test_all_smoothed_gradients_count_as_long_as_the_longest() -> None:
    method = ready(beta=0.0)
    g = torch.diag(torch.tensor([0.1, 1.0, 5.0], dtype=DOUBLE))
    assert_close(method.weighed(g, ALL, SOUND)[0], torch.full((3,), 5.0, dtype=DOUBLE), rtol=1e-6, atol=0)


def test_gradients_are_those_of_logarithms_heads_included() -> None:
    """Without smoothing the first step is known."""
    problem, method = toy(dtype=DOUBLE), DBMTL(beta=0.0)
    method.setup(problem.context)
    before, rows = problem.parameters, problem.task_gradients(0)
    graph = problem.step(0).losses().graph
    assert graph is not None
    values = torch.stack([graph.terms[k].detach() for k in ALL])
    heads = [torch.autograd.grad(graph.terms[k].log(), problem.machine.owned[k], retain_graph=True) for k in ALL]
    rows = rows / values[:, None]
    method.update(problem.step(0))
    norms = rows.norm(dim=1)
    expected = [(norms.max() / norms) @ rows, *(g.reshape(-1) for own in heads for g in own)]
    assert_close((before - problem.parameters) / 0.1, torch.cat(expected), rtol=1e-6, atol=1e-9)


def test_scales_of_the_losses_do_not_matter() -> None:
    ends = []
    for scale in (1.0, 50.0):
        problem, method = toy(dtype=DOUBLE), DBMTL()
        method.setup(problem.context)
        task = problem.machine.forward.tasks["depth"]  # type: ignore[attr-defined]
        plain = task.loss
        task.loss = lambda *given, plain=plain, scale=scale: (scale * plain(*given)[0], plain(*given)[1])
        problem.train(method, range(6))
        ends.append(problem.parameters)
    assert_close(ends[1], ends[0], rtol=1e-6, atol=1e-8)


def test_an_absent_task_keeps_its_gradient_and_has_no_say() -> None:
    method = ready()
    for t in range(3):
        method.weighed(rows_of(t), ALL, SOUND)[0]
    assert method.smoothed.vectors is not None
    kept = method.smoothed.vectors[1].clone()
    found = method.weighed(rows_of(3)[[0, 2]], (0, 2), SOUND)[0]
    assert torch.equal(method.smoothed.vectors[1], kept)
    b = method.smoothed.vectors[[0, 2]]
    assert_close(found, ((b.norm(dim=1).max() / b.norm(dim=1))[:, None] * b).sum(dim=0), rtol=1e-6, atol=1e-8)
    assert method.seen.tolist() == [4, 3, 4]


def test_a_gradient_of_zero() -> None:
    g = rows_of(0)
    g[0] = 0
    assert ready().weighed(g, ALL, SOUND)[0].isfinite().all()
    assert not ready().weighed(torch.zeros_like(g), ALL, SOUND)[0].any()


def test_one_task_is_descent_of_its_logarithm() -> None:
    g = rows_of(0)
    assert_close(ready(beta=0.0).weighed(g[:1], (0,), SOUND)[0], g[0], rtol=1e-6, atol=0)


@pytest.mark.parametrize("options", [{"beta": 1.0}, {"beta": -0.1}, {"beta_decay": -0.5}])
def test_ranges(options: dict[str, float]) -> None:
    with pytest.raises(BenchError, match=r"beta lies in \[0, 1\)"):
        ready(**options)


def test_a_record_learns_what_gradients_count() -> None:
    """At β = 0 all are as long as the longest: shares are equal, whatever the scales of the losses."""
    problem, method = toy(dtype=DOUBLE), DBMTL(beta=0.0)
    method.setup(problem.context)
    norms = problem.task_gradients(0).norm(dim=1)
    problem.train(method, [0])
    weights = used_weights(problem.machine.ledger, problem.machine.names)
    felt = torch.tensor(list(weights.values()), dtype=DOUBLE) * norms
    assert_close(felt, felt.max().expand(3), rtol=1e-5, atol=0)
