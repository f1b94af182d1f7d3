"""GradVac: the Gramian path against vectors, its targets, and groups of parameters."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods import GradVac, PCGrad
from mtl_bench.methods.gradvac import EDGE
from mtl_bench.step import Stepper
from tests.methods.toys import context, gramian_of, toy

DOUBLE = torch.float64


def in_vectors(rows: Float[Tensor, "k P"], targets: Tensor, beta: float, draw: torch.Generator) -> Float[Tensor, "P"]:
    """Algorithm 1 on the vectors themselves; moves `targets`."""
    total = torch.zeros_like(rows[0])
    for i in range(len(rows)):
        others, p = [j for j in range(len(rows)) if j != i], rows[i].clone()
        for j in (others[n] for n in torch.randperm(len(others), generator=draw).tolist()):
            seen, wanted = torch.cosine_similarity(p, rows[j], dim=0), targets[i, j].clone()
            if seen < wanted:
                rest = (1 - wanted**2).sqrt()
                p = p + rows[j] * p.norm() * (wanted * (1 - seen**2).sqrt() - seen * rest) / (rows[j].norm() * rest)
                assert_close(torch.cosine_similarity(p, rows[j], dim=0), wanted)
            targets[i, j] = ((1 - beta) * wanted + beta * seen).clamp(-EDGE, EDGE)
        total += p
    return total


@pytest.mark.parametrize("k", [2, 3, 6])
def test_equals_the_vector_form_over_many_batches(k: int) -> None:
    method, targets = GradVac(beta=0.3), torch.zeros(k, k, dtype=DOUBLE)
    draws = [torch.Generator().manual_seed(9) for _ in range(2)]
    for seed in range(20):
        rows = torch.randn(k, k + 2, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
        found = method.weights(rows @ rows.T, generator=draws[0]) @ rows
        assert_close(found, in_vectors(rows, targets, 0.3, draws[1]), rtol=1e-7, atol=1e-8)
        assert_close(method.targets[0], targets)
    assert k == 2 or not torch.equal(targets, targets.T)


def test_targets_that_stay_at_zero_are_pcgrad_in_the_same_orders() -> None:
    """Two tasks have one order."""
    for seed in range(50):
        gramian = gramian_of(2, 2, seed)
        draw = torch.Generator().manual_seed(0)
        assert_close(GradVac(beta=0.0).weights(gramian, generator=draw), PCGrad().weights(gramian, generator=draw))


def test_targets_belong_to_pairs_of_tasks() -> None:
    method = GradVac(beta=1.0)
    rows = torch.rand(3, 4, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    method.weights(rows[[0, 2]] @ rows[[0, 2]].T, tasks=(0, 2), generator=torch.Generator())
    cosine = torch.cosine_similarity(rows[0], rows[2], dim=0)
    assert_close(method.targets[0, 0, 2], cosine)
    assert method.targets[0, :, 1].tolist() == [0, 0, 0]


def test_identical_gradients_do_not_divide_by_zero() -> None:
    method = GradVac(beta=1.0)
    for gramian in (torch.ones(2, 2, dtype=DOUBLE), gramian_of(2, 3, 0), -2 * torch.eye(2, dtype=DOUBLE) + 1):
        assert method.weights(gramian.abs(), generator=torch.Generator()).isfinite().all()
        assert method.targets.abs().max() <= EDGE


@pytest.mark.parametrize("granularity", ["layer", "matrix"])
def test_groups_are_methods_of_their_own(granularity: str) -> None:
    """Each group's direction is that of its own rows, from one stream of orders."""
    problem, method = toy(dtype=DOUBLE, convolution=True), GradVac(granularity=granularity)  # type: ignore[arg-type]
    method.setup(problem.context)
    rows, groups = problem.task_gradients(0), {}
    for name, parameter in problem.machine.shared.items():
        group = name.rpartition(".")[0] if granularity == "layer" else name
        groups[group] = groups.get(group, 0) + parameter.numel()
    step = problem.step(0)
    draw = torch.Generator()
    draw.set_state(step.generator.get_state())
    parts = rows.split(list(groups.values()), dim=1)
    expected = torch.cat([GradVac().weights(part @ part.T, generator=draw) @ part for part in parts])
    method.write(step.gradients(step.losses()), step)
    written = torch.cat([p.grad.reshape(-1) for p in problem.machine.shared.values() if p.grad is not None])
    assert_close(written, expected)
    assert method.targets.shape == (len(groups), 3, 3)
    assert len(groups) > 1


def test_layers_are_found_by_name_whatever_order_the_optimizer_has() -> None:
    """Weights that decay and biases that do not lie in two groups, so that a layer's tensors do not follow another."""
    one, other = (after_three_batches(apart) for apart in (False, True))
    assert_close(one, other)


def after_three_batches(apart: bool) -> list[Tensor]:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5)).double()
    heads = nn.ModuleList(nn.Linear(5, 1) for _ in range(3)).double()
    model = nn.ModuleDict({"encoder": encoder, "heads": heads})
    parameters = list(model.parameters())
    groups = [[p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim == 1]]
    optimizer = torch.optim.SGD([{"params": group} for group in (groups if apart else [parameters])], lr=0.1)
    method = GradVac(granularity="layer")
    stepper = Stepper(method, model=model, optimizer=optimizer)
    for batch in torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(1), dtype=DOUBLE):
        stepper.step(lambda: [(head(encoder(batch)) - k).square().mean() for k, head in enumerate(heads)])  # noqa: B023
    assert len(method.targets) == 2
    return [parameter.detach() for parameter in parameters]


def test_what_it_refuses() -> None:
    with pytest.raises(BenchError, match=r"method\.beta lies in \[0, 1\]"):
        GradVac(beta=1.5).setup(context())
    with pytest.raises(BenchError, match="use granularity=whole"):
        GradVac(granularity="layer", scale_heads=True).setup(context())


@pytest.mark.parametrize("scale", [1e-200, 1e200, 1e300])
def test_lengths_whose_product_is_no_number(scale: float) -> None:
    rows = torch.randn(3, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    gramian = rows @ rows.T
    assert (gramian < 0).any()
    expected, found = (
        GradVac().weights(scaled, generator=torch.Generator().manual_seed(0)) for scaled in (gramian, scale * gramian)
    )
    assert not torch.equal(expected, torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(found, expected)
