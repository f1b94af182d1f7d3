"""Which layers' gradients stay in factors, and that nothing a user does to them changes a number."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mtl_bench.errors import BenchError
from mtl_bench.methods import MGDA
from mtl_bench.step import Stepper
from mtl_bench.step.engines import factored
from mtl_bench.step.engines.engine import Flat
from tests.step.one_layer import built, gramian_in_factors, rows_by_autograd, take, trained

pytestmark = pytest.mark.usefixtures("always_in_factors")

LAYERS: dict[str, tuple[Callable[[], nn.Module], bool]] = {  # first weight, whether it is kept in factors
    "stride, padding, dilation": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=2, dilation=2), True),
    "unequal sides": (lambda: nn.Conv2d(2, 3, (3, 1), padding=(0, 1)), True),
    "same": (lambda: nn.Conv2d(2, 3, 3, padding="same"), True),
    "same, of an even kernel": (lambda: nn.Conv2d(2, 3, 2, padding="same"), True),
    "circular": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), True),
    "channels last": (lambda: nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last), True),
    "groups": (lambda: nn.Conv2d(2, 4, 3, groups=2), False),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 3), False),
    "one dimension": (lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(2, 3, 3)), False),
    "linear": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 5)), True),
    "linear without bias": (lambda: nn.Sequential(nn.Flatten(), Scale(72), nn.Linear(72, 5, bias=False)), True),
    "linear on tokens": (lambda: nn.Sequential(nn.Flatten(2), nn.Linear(36, 5), nn.Tanh()), True),
    "linear on tokens without bias": (
        lambda: nn.Sequential(nn.Flatten(2), Scale(36), nn.Linear(36, 5, bias=False)),
        True,
    ),
    "that nothing else needs": (lambda: nn.Conv2d(2, 3, 3, bias=False), False),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 3)), False),
    "read twice": (lambda: Twice(), False),
    "read as it is and transposed": (lambda: Tied(), False),
    "not transposed": (lambda: Plain(), False),
    "scaled": (lambda: Scaled(), False),
    "coarser than others": (lambda: Mixed(), False),
    "recomputed": (lambda: Recomputed(), False),
}


class Scale(nn.Module):
    """A small weight below a layer, so that sweeps go through it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


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
        return torch.addmm(torch.zeros(72), image.flatten(1), self.weight.t(), alpha=0.5)


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


@pytest.mark.filterwarnings("ignore:Using padding=")
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
    net, image = built(lambda: nn.Conv2d(2, 3, 3))
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


class Clipped(nn.Module):
    """A hook that does nothing while gradients are small: of the layer's output, or of its node."""

    def __init__(self, bias: bool, of_node: bool) -> None:
        super().__init__()
        self.layer, self.last, self.of_node = nn.Linear(72, 8, bias=bias), nn.Linear(8, 5), of_node

    def forward(self, image: Tensor) -> Tensor:
        hidden: Tensor = self.layer(image.flatten(1))
        if self.of_node:
            hidden.grad_fn.register_prehook(lambda given: (given[0].clamp(-0.01, 0.01),))  # type: ignore[union-attr]
        else:
            hidden.register_hook(lambda gradient: gradient.clamp(-0.01, 0.01))
        return self.last(hidden.tanh()).tanh()  # type: ignore[no-any-return]


@pytest.mark.parametrize("of_node", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_a_hook_that_acts_later(bias: bool, of_node: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    agrees_with_rows(lambda: Clipped(bias, of_node), [1e-3, 1e4], monkeypatch)


def agrees_with_rows(layer: Callable[[], nn.Module], scales: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a batch of losses with each of the factors."""
    found = []
    for least in (1, 2**60):
        monkeypatch.setattr(factored, "LEAST", least)
        net, image = built(layer)
        found.append(trained(net, scales, image)[0])
    for factors, rows in zip(*found, strict=True):
        torch.testing.assert_close(factors, rows, rtol=1e-4, atol=1e-4)


class Workspace(torch.autograd.Function):
    """Hands on the same memory in every backward."""

    memory = torch.empty(0)

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x.tanh())
        return x.tanh()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        if Workspace.memory.shape != gradient.shape:
            Workspace.memory = torch.empty_like(gradient)
        return torch.mul(1 - ctx.saved_tensors[0] ** 2, gradient, out=Workspace.memory)


class Quantised(torch.autograd.Function):
    """Answers, like a leaf, that it has a variable."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        ctx.variable = weight
        return weight.clamp(-0.1, 0.1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient.clamp(-0.001, 0.001)


class Through(nn.Module):
    """A layer between functions of a user's own."""

    def __init__(self, quantised: bool) -> None:
        super().__init__()
        self.quantised, self.layer = quantised, nn.Linear(72, 8)

    def forward(self, image: Tensor) -> Tensor:
        weight = self.layer.weight
        weight = Quantised.apply(weight) if self.quantised else weight
        hidden: Tensor = Workspace.apply(nn.functional.linear(image.flatten(1), weight, self.layer.bias))
        return hidden


@pytest.mark.parametrize("quantised", [True, False])
def test_functions_of_a_user(quantised: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    agrees_with_rows(lambda: Through(quantised), [1e-3, 100.0, 100.0], monkeypatch)


def test_a_run_that_is_resumed_repeats_to_the_last_bit() -> None:
    scales = [0.0, 1.0, 2.0, 3.0, 4.0]  # nothing to compare in the first batch
    net, image = built(lambda: Clipped(bias=True, of_node=False))
    whole, _ = trained(net, scales, image)
    net, image = built(lambda: Clipped(bias=True, of_node=False))
    _, stepper = trained(net, scales[:3], image)
    again, _ = built(lambda: Clipped(bias=True, of_node=False))
    again.load_state_dict(net.state_dict())
    optimizer = torch.optim.SGD(again.parameters(), lr=0.1)
    resumed = Stepper(MGDA(), shared=again.encoder, heads=again.heads, optimizer=optimizer, model=again)
    resumed.load_state_dict(stepper.state_dict())
    for scale in scales[3:]:
        take(resumed, again, image, scale)
    for ours, theirs in zip(again.parameters(), whole, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("first", [0.0, torch.nan, torch.inf])
def test_a_first_batch_that_shows_nothing_decides_nothing(first: float) -> None:
    net, image = built(lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 5)))
    _, stepper = trained(net, [first], image)
    assert agreeing(stepper) == set()
    take(stepper, net, image, 1.0)
    assert agreeing(stepper) == {True}


def agreeing(stepper: Stepper) -> set[bool]:
    engine = stepper.means.engines["shared"]  # type: ignore[union-attr]
    assert isinstance(engine, Flat)
    return {*engine.factoring.agrees.values()}


def test_an_input_that_is_written_over_later_moves_nothing() -> None:
    net, image = built(lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 5)))
    rows = rows_by_autograd(net, image)

    class Late(MGDA):
        needs_rows = False  # type: ignore[assignment]

        def write(self, gradients: Any, step: Any) -> None:
            image.zero_()
            torch.testing.assert_close(gradients.gramian(), rows @ rows.T, rtol=1e-4, atol=1e-7)
            super().write(gradients, step)

    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    Stepper(Late(), shared=net.encoder, heads=net.heads, optimizer=optimizer, model=net).step(lambda: net(image))


def test_backwards_run_as_often_as_ever() -> None:
    runs: list[int] = []
    net, image = built(lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 5), nn.Tanh()))
    net.encoder[2].register_full_backward_hook(lambda *_: runs.append(1))
    trained(net, [1.0, 1.0], image)
    assert len(runs) == 2 * 3
