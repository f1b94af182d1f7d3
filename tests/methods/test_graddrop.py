"""GradDrop against loops over coordinates, with the same uniform draws."""

from types import SimpleNamespace
from typing import cast

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods.graddrop import PIECE, GradDrop, uniform
from mtl_bench.methods.interface import TaskGradients
from tests.methods.toys import context, toy

DOUBLE = torch.float64


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def one_coordinate(signed: list[float], draw: float, leak: float) -> list[float]:
    """Factor of each task's gradient."""
    size = sum(abs(s) for s in signed)
    purity = 0.5 * (1 + (sum(signed) / size if size else 0.0))
    kept = [(purity > draw and s > 0) or (purity < draw and s < 0) for s in signed]
    return [leak + (1 - leak) * k for k in kept]


def at_parameters(rows: Float[Tensor, "k P"], leak: float) -> Float[Tensor, "P"]:
    draws = torch.rand(rows.shape[1], generator=seeded(), dtype=rows.dtype)
    found = torch.zeros(rows.shape[1], dtype=rows.dtype)
    for p in range(rows.shape[1]):
        factors = one_coordinate(rows[:, p].tolist(), draws[p].item(), leak)
        found[p] = sum(f * g for f, g in zip(factors, rows[:, p].tolist(), strict=True))
    return found


def at_features(
    rows: Float[Tensor, "k batch *c"], feature: Float[Tensor, "batch *c"], draws: Tensor, leak: float
) -> Tensor:
    """One draw per coordinate of a sample, shared by samples and tasks."""
    k, batch = rows.shape[:2]
    flat, z = rows.reshape(k, batch, -1), feature.reshape(batch, -1)
    found = torch.zeros_like(z)
    for c in range(z.shape[1]):
        signed = [sum((flat[i, b, c] * z[b, c].sign()).item() for b in range(batch)) for i in range(k)]
        factors = one_coordinate(signed, draws.reshape(-1)[c].item(), leak)
        for b in range(batch):
            found[b, c] = sum(f * flat[i, b, c].item() for i, f in enumerate(factors))
    return found.reshape(-1)


def gradients_at(matrix: Tensor, layers: dict[str, Tensor], features: dict[str, Tensor] | None) -> TaskGradients:
    given = SimpleNamespace(matrix=lambda: matrix, layers=lambda: iter(layers.items()), features=features)
    return cast(TaskGradients, given)


@pytest.mark.parametrize("leak", [0.0, 0.3, 1.0])
def test_parameter_form(leak: float) -> None:
    rows = torch.randn(3, 200, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    rows[:, 5] = 0
    rows[1, 10:20] = 0
    found = GradDrop(at="shared", leak=leak).direction(gradients_at(rows, {}, None), generator=seeded())
    assert_close(found, at_parameters(rows, leak))


@pytest.mark.parametrize("k", [2, 5, 11])
@pytest.mark.parametrize("leak", [0.0, 0.3])
def test_pieces_are_of_the_whole(k: int, leak: float) -> None:
    rows = torch.randn(k, 2 * PIECE + 5, generator=torch.Generator().manual_seed(k))
    whole = GradDrop.masked(rows, rows, leak, uniform(rows, seeded()))
    assert torch.equal(GradDrop().at_parameters(rows, leak, seeded()), whole)
    by_task = torch.linspace(0, 1, k)
    whole = GradDrop.masked(rows, rows, by_task, uniform(rows, seeded()))
    assert torch.equal(GradDrop().at_parameters(rows, by_task, seeded()), whole)


@pytest.mark.parametrize("at", ["shared", "feature"])
def test_a_leak_of_each_task(at: str) -> None:
    """A task that leaks all keeps its gradient, and the others no more than they would (exactly: TorchJD's parity)."""
    written = []
    for leak in (0.0, {"depth": 1.0}, 1.0):
        problem, method = toy(dtype=DOUBLE), GradDrop(at=at, leak=leak)  # type: ignore[arg-type]
        method.setup(problem.context)
        step = problem.step(2)
        method.write(step.gradients(step.losses(), at=at), step)  # type: ignore[arg-type]
        written.append(torch.cat([p.grad.reshape(-1) for p in problem.machine.shared.values() if p.grad is not None]))
    assert_close(written[2], problem.task_gradients(2).sum(dim=0))
    assert not any(torch.allclose(written[1], written[n]) for n in (0, 2))
    with pytest.raises(BenchError, match=r"leak must lie in \[0, 1\]"):
        GradDrop(leak={"depth": 1.5}).setup(context())


@pytest.mark.parametrize("leak", [0.0, 0.3, 1.0])
def test_feature_form_over_two_shared_tensors(leak: float) -> None:
    draw = torch.Generator().manual_seed(1)
    shapes = {"feature.0": (5, 2, 3, 3), "feature.1": (5, 7)}
    features = {name: torch.randn(shape, generator=draw, dtype=DOUBLE).relu() for name, shape in shapes.items()}
    rows = {name: torch.randn((3, *shape), generator=draw, dtype=DOUBLE) for name, shape in shapes.items()}
    rows["feature.0"][:, :, 0, 0, 0] = 0
    features["feature.1"][:, 2] = 0  # sign 0 everywhere: no task has a say there
    flat = torch.cat([r.reshape(3, -1) for r in rows.values()], dim=1)
    found = GradDrop(leak=leak).direction(gradients_at(flat, rows, features), generator=seeded())
    stream = seeded()
    draws = [torch.rand((1, *shape[1:]), generator=stream, dtype=DOUBLE) for shape in shapes.values()]
    expected = [at_features(rows[n], features[n], d, leak) for n, d in zip(shapes, draws, strict=True)]
    assert_close(found, torch.cat(expected))


@pytest.mark.parametrize("at", ["shared", "feature"])
def test_a_leak_of_one_is_the_plain_sum(at: str) -> None:
    problem, method = toy(dtype=DOUBLE), GradDrop(at=at, leak=1.0)  # type: ignore[arg-type]
    method.setup(problem.context)
    expected = problem.task_gradients(0).sum(dim=0)
    step = problem.step(0)
    method.write(step.gradients(step.losses(), at=method.at), step)
    written = torch.cat([p.grad.reshape(-1) for p in problem.machine.shared.values() if p.grad is not None])
    assert_close(written, expected)


def test_without_leak_one_sign_is_left() -> None:
    rows = torch.randn(4, 300, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    found = GradDrop(at="shared").direction(gradients_at(rows, {}, None), generator=seeded())
    positive, negative = rows.clamp(min=0).sum(dim=0), rows.clamp(max=0).sum(dim=0)
    assert ((found - positive).abs().minimum((found - negative).abs()) < 1e-12).all()


def test_agreeing_coordinates_pass_whole_and_zero_ones_stay_zero() -> None:
    rows = torch.tensor([[1.0, -1.0, 0.0], [3.0, -2.0, 0.0]])
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        found = GradDrop(at="shared").direction(gradients_at(rows, {}, None), generator=generator)
        assert found.tolist() == [4.0, -3.0, 0.0]


def test_the_positive_sign_wins_as_often_as_it_is_pure() -> None:
    rows = torch.tensor([[3.0], [-1.0]]).expand(2, 20000)
    found = GradDrop(at="shared").direction(gradients_at(rows, {}, None), generator=seeded())
    assert abs((found == 3).float().mean().item() - 0.75) < 0.02
    assert ((found == 3) | (found == -1)).all()


def test_the_two_forms_differ() -> None:
    ends = []
    for at in ("shared", "feature"):
        problem, method = toy(), GradDrop(at=at)
        method.setup(problem.context)
        problem.train(method, range(4))
        ends.append(problem.parameters)
    assert not torch.allclose(ends[0], ends[1])


def test_draws_come_from_the_device_stream() -> None:
    problem, method = toy(), GradDrop()
    method.setup(problem.context)
    host, device = problem.machine.mover.generator.get_state(), problem.machine.mover.device_generator.get_state()
    method.update(problem.step(0))
    assert torch.equal(problem.machine.mover.generator.get_state(), host)
    assert not torch.equal(problem.machine.mover.device_generator.get_state(), device)


@pytest.mark.parametrize("leak", [-0.1, 1.1])
def test_leak_is_a_share(leak: float) -> None:
    with pytest.raises(BenchError, match=r"leak must lie in \[0, 1\]"):
        GradDrop(leak=leak).setup(context())


def test_the_papers_form_needs_one_encoder_pass() -> None:
    with pytest.raises(BenchError, match="path per task"):
        GradDrop().setup(context(per_task_path=True))
    GradDrop(at="shared").setup(context(per_task_path=True))
