"""Large weights whose gradients stay in factors: the same numbers as their rows, or no factors."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mtl_bench.errors import BenchError
from mtl_bench.methods import MGDA
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step import Stepper
from mtl_bench.step.batch_step import BatchStep
from mtl_bench.step.engines import factored
from mtl_bench.step.engines.flat import FlatRows
from tests.step.toys import MODELS, Attention, OneTensor, TaskNorms, gradients_of, make_batch, make_machine, make_step

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors for the smallest weight, whatever they cost; no dropout, so that two forwards agree."""
    monkeypatch.setattr(factored, "LEAST", 1)
    monkeypatch.setattr(factored, "worthwhile", lambda *_: True)
    monkeypatch.setattr(nn.functional, "dropout", lambda value, *_, **__: value)


def both(step: BatchStep, **options: Any) -> tuple[FlatRows, FlatRows]:
    """In factors, and as rows of the same losses."""
    found = [step.gradients(step.losses(), rows=rows, **options) for rows in (False, True)]
    assert all(isinstance(one, FlatRows) for one in found)
    return found[0], found[1]  # type: ignore[return-value]


@pytest.mark.parametrize("weights", [None, [0.5, 3.0, -2.0]])
@pytest.mark.parametrize("model", MODELS)
def test_products_combinations_and_rows_are_those_of_rows(
    model: type[MultiTaskModel], weights: list[float] | None
) -> None:
    machine = make_machine(model)
    step = make_step(machine)
    found, rows = both(step, weights=None if weights is None else torch.tensor(weights, dtype=torch.float64))
    assert bool(found._factored) == (model is not TaskNorms)  # whose weights are read once per task
    torch.testing.assert_close(found.gramian(), rows.gramian(), **CLOSE)
    torch.testing.assert_close(found.losses, rows.losses, **CLOSE)
    written = []
    for one in (found, rows):
        one.combine(torch.tensor([2.0, -1.0, 0.5]), heads=torch.tensor([1.0, 2.0, 3.0]))
        written.append(gradients_of(machine))
    assert written[0].keys() == written[1].keys()
    for name, gradient in written[0].items():
        torch.testing.assert_close(gradient, written[1][name], **CLOSE)
    torch.testing.assert_close(found.matrix(), rows.matrix(), **CLOSE)  # made now
    assert not found._factored
    for (name, ours), (other, theirs) in zip(found.layers(), rows.layers(), strict=True):
        assert name == other
        torch.testing.assert_close(ours, theirs, **CLOSE)
    torch.testing.assert_close(found.gramian(), rows.gramian(), **CLOSE)


def test_inner_products_with_another_forward() -> None:
    machine = make_machine(Attention)
    first, second = (make_step(machine, make_batch(seed)) for seed in (0, 1))
    ours, their_rows = both(second)
    found, rows = both(first)
    expected = rows.matrix() @ their_rows.matrix().T
    assert found._factored
    assert ours._factored
    torch.testing.assert_close(found.gramian(ours), expected, **CLOSE)
    torch.testing.assert_close(found.gramian(their_rows), expected, **CLOSE)  # of other kinds


def test_a_weight_that_no_task_of_the_batch_reaches_has_no_gradient() -> None:
    machine = make_machine(Attention)
    both(make_step(machine))  # compared with autograd's own
    step = make_step(machine, make_batch(unlabelled=["pose", "colour"]))
    step.gradients(step.losses(), rows=False).combine(torch.ones(1))
    assert machine.shared["second.weight"].grad is None
    step = make_step(machine, make_batch(unlabelled=["colour"]))
    found, rows = both(step)
    assert found._factored
    torch.testing.assert_close(found.gramian(), rows.gramian(), **CLOSE)


def test_every_task_counts_passes_as_ever() -> None:
    machine = make_machine(OneTensor)
    both(make_step(machine))
    assert machine.ledger.counts.backwards == 6


LAYERS: dict[str, tuple[Callable[[], nn.Module], bool]] = {  # first weight, whether it is kept in factors
    "stride, padding, dilation": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=2, dilation=2, bias=False), True),
    "unequal sides": (lambda: nn.Conv2d(2, 3, (3, 1), padding=(0, 1)), True),
    "same": (lambda: nn.Conv2d(2, 3, 3, padding="same"), True),
    "same, of an even kernel": (lambda: nn.Conv2d(2, 3, 2, padding="same"), True),
    "circular": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), True),
    "channels last": (lambda: nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last), True),
    "groups": (lambda: nn.Conv2d(2, 4, 3, groups=2), False),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 3), False),
    "one dimension": (lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(2, 3, 3)), False),
    "linear": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 5)), True),
    "linear without bias": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 5, bias=False)), True),
    "linear on tokens": (lambda: nn.Sequential(nn.Flatten(2), nn.Linear(36, 5), nn.Tanh()), True),
    "linear on tokens without bias": (lambda: nn.Sequential(nn.Flatten(2), nn.Linear(36, 5, bias=False)), True),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 3)), False),
    "read twice": (lambda: Twice(), False),
    "read as it is and transposed": (lambda: Tied(), False),
    "not transposed": (lambda: Plain(), False),
    "scaled": (lambda: Scaled(), False),
    "coarser than others": (lambda: Mixed(), False),
    "recomputed": (lambda: Recomputed(), False),
}


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return self.layer(self.layer(image).tanh())  # type: ignore[no-any-return]


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(72, 6)

    def forward(self, image: Tensor) -> Tensor:
        return self.layer(image.flatten(1)).tanh() @ self.layer.weight  # type: ignore[no-any-return]


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(72, 72))

    def forward(self, image: Tensor) -> Tensor:
        return image.flatten(1) @ self.weight


class Scaled(Plain):
    def forward(self, image: Tensor) -> Tensor:
        return torch.addmm(torch.zeros(72), image.flatten(1), self.weight.T, alpha=0.5)


class Mixed(nn.Module):
    """Rows are in double precision, as the norm's parameters are."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3, dtype=torch.float64)

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(self.layer(image).double()).float()  # type: ignore[no-any-return]


class Recomputed(Twice):
    def forward(self, image: Tensor) -> Tensor:
        return checkpoint(self.layer, image, use_reentrant=False)  # type: ignore[no-any-return]


class Net(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.encoder = layer
        self.heads = nn.ModuleList(nn.LazyLinear(1) for _ in range(3))

    def forward(self, image: Tensor) -> list[Tensor]:
        feature = self.encoder(image)
        return [head(feature.flatten(1)).square().mean() for head in self.heads]


def built(layer: Callable[[], nn.Module]) -> tuple[Net, Tensor]:
    torch.manual_seed(0)
    net, image = Net(layer()), torch.randn(4, 2, 6, 6)
    net(image)
    return net, image


def gramian_in_factors(net: Net, image: Tensor) -> tuple[Tensor, bool]:
    """Of a step in a loop of one's own, and whether a weight with several columns was kept in factors."""
    seen: list[Tensor] = []
    kept: list[bool] = []

    class Watched(MGDA):
        def write(self, gradients: Any, step: Any) -> None:
            kept.append(bool(gradients._factored))
            seen.append(gradients.gramian())
            super().write(gradients, step)

    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    stepper = Stepper(Watched(), shared=net.encoder, heads=net.heads, optimizer=optimizer, model=net)
    stepper.step(lambda: net(image))
    return seen[0], kept[0]


def rows_by_autograd(net: Net, image: Tensor) -> Tensor:
    parameters = list(net.encoder.parameters())
    rows = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in net(image)]
    return torch.stack([torch.cat([gradient.flatten() for gradient in row]) for row in rows]).double()


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_all_kinds(name: str) -> None:
    layer, expected = LAYERS[name]
    net, image = built(layer)
    rows = rows_by_autograd(net, image)
    gramian, kept = gramian_in_factors(net, image)
    assert kept == expected
    torch.testing.assert_close(gramian, rows @ rows.T, rtol=1e-4, atol=1e-7)


def double(gradient: Tensor) -> Tensor:
    return 2 * gradient


@pytest.mark.parametrize("where", ["weight", "output", "node"])
def test_hooks_that_change_gradients(where: str) -> None:
    net, image = built(lambda: nn.Conv2d(2, 3, 3, bias=False))
    if where == "weight":
        net.encoder.weight.register_hook(double)
    elif where == "output":
        net.encoder.register_forward_hook(lambda _, __, output: output.register_hook(double) and None)
    else:
        net.encoder.register_forward_hook(
            lambda _, __, output: output.grad_fn.register_prehook(lambda arrived: (2 * arrived[0],)) and None
        )
    rows = rows_by_autograd(net, image)
    gramian, kept = gramian_in_factors(net, image)
    assert not kept  # what arrives at the output does not show them; autograd's own gradient of the weight does
    torch.testing.assert_close(gramian, rows @ rows.T, rtol=1e-4, atol=1e-7)


def test_an_input_that_was_written_over_is_a_sentence() -> None:
    net, image = built(lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Conv2d(3, 3, 1)))

    def overwrite(_: nn.Module, given: tuple[Tensor], __: Tensor) -> None:
        given[0].zero_()

    net.encoder[2].register_forward_hook(overwrite)
    with pytest.raises(BenchError, match="modified by an inplace operation"):
        gramian_in_factors(net, image)
