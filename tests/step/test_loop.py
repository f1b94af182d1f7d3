"""Loops as people write them: right by plain autograd, or refused in one sentence before anything moves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mtl_bench.errors import BenchError
from mtl_bench.methods import MGDA, GramianWeighting, LinearScalarization, Method, PCGrad
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.step import Stepper


@dataclass(kw_only=True, eq=False)
class Counting(GramianWeighting):
    """Task k counts k + 1 times for what is shared."""

    natural_sum = None

    def weights(self, problem: GramianProblem) -> Float[Tensor, "k"]:
        return torch.arange(1.0, len(problem.gramian) + 1, dtype=torch.float64)


IMAGE = torch.randn(9, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Net(nn.Module):
    """Two shared layers, a pooling without parameters behind them, three heads."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.second = nn.Linear(5, 8), nn.Linear(8, 6)
            self.heads = nn.ModuleList(nn.Linear(6, 2) for _ in range(3))
            self.extra = nn.Linear(6, 6)
        self.double()
        self.reentrant = self.later = False

    def forward(self, image: Tensor) -> list[Tensor]:
        z = self.second(torch.tanh(self.first(image)))
        z = torch.tanh(checkpoint(torch.sigmoid, z, use_reentrant=True) if self.reentrant else z)
        z = self.extra(z) if self.later else z
        return [head(z) for head in self.heads]

    def losses(self) -> list[Tensor]:
        return [(output - k).square().mean() for k, output in enumerate(self(IMAGE))]

    def lists(self) -> dict[str, Any]:
        return {"shared": [self.first, self.second], "heads": list(self.heads)}


def made(net: Net, method: Method | None = None, **given: Any) -> Stepper:
    optimizer = given.pop("optimizer", None) or torch.optim.SGD(net.parameters(), lr=1.0)
    return Stepper(method or Counting(), optimizer=optimizer, **given)


def expected(net: Net) -> dict[str, Tensor]:
    """Σ (k + 1) g_k of what is shared, its own gradient of each head."""
    named = dict(net.named_parameters())
    found: dict[str, Tensor] = {}
    for k, loss in enumerate(net.losses()):
        for name, g in zip(
            named, torch.autograd.grad(loss, [*named.values()], retain_graph=True, allow_unused=True), strict=True
        ):
            if g is not None:
                found[name] = found.get(name, torch.zeros_like(g)) + (1 if name.startswith("heads") else k + 1) * g
    return found


def stacked(net: Net) -> Tensor:
    return torch.stack(net.losses())


@pytest.mark.parametrize(
    "losses", [Net.losses, stacked, lambda net: stacked(net).unbind(), lambda net: [*stacked(net)]]
)
@pytest.mark.parametrize("found", [True, False])
@pytest.mark.parametrize("features", [True, False])
def test_losses_in_a_stack_and_a_pooling_behind_the_features(
    losses: Callable[[Net], Sequence[Tensor] | Tensor], found: bool, features: bool
) -> None:
    """A stack is no meeting of tasks; what heads share behind the named tensors is not freed by the first of them."""
    net, plain = Net(), Net()
    given = {"model": net} if found else net.lists()
    made(net, features=[net.second] if features else [], **given).step(lambda: losses(net))
    before = dict(plain.named_parameters())
    for name, gradient in expected(plain).items():
        moved = before[name] - net.get_parameter(name)
        torch.testing.assert_close(moved, gradient, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("method", [Counting(), MGDA(), LinearScalarization()])
@pytest.mark.parametrize(
    ("losses", "said"),
    [
        (lambda net: sum(net.losses()), r"in a list, not summed; got shape \[\]"),
        (lambda net: dict(enumerate(net.losses())), "in a list, not summed; got dict"),
        (lambda net: None, "in a list, not summed; got NoneType"),
        (lambda net: net.losses()[:2], "returned 2 losses, and there are heads of 3 tasks"),
        (lambda net: [torch.zeros(()), *net.losses()[1:]], r"task_0 depends on no parameter that trains.*tasks=\[…\]"),
        (lambda net: [loss.detach() for loss in net.losses()], "task_0 depends on no parameter that trains"),
    ],
)
def test_what_is_no_list_of_losses_is_refused(method: Method, losses: Callable[[Net], Any], said: str) -> None:
    net = Net()
    stepper, before = made(net, method, **net.lists()), [p.detach().clone() for p in net.parameters()]
    with pytest.raises(BenchError, match=said):
        stepper.step(lambda: losses(net))
    assert all(torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True))


def test_losses_that_were_computed_already_are_refused() -> None:
    net = Net()
    with pytest.raises(BenchError, match=r"takes a function.*step\(lambda: losses\(model\(image\)\)\)"):
        made(net, **net.lists()).step(net.losses())  # type: ignore[arg-type]


def test_tasks_with_a_label_are_named_once() -> None:
    net = Net()
    stepper = made(net, **net.lists())
    mask = torch.tensor([True, False, True])
    for wrong in ([3], [-1], [0, 0], [True, False], mask, mask.numpy(), [0.0, 2.0], ["task_0"]):
        with pytest.raises(BenchError, match=r"by number, once each, from 0 to 2, and is no mask"):
            stepper.step(net.losses, tasks=wrong)
    for right in ((2, 0), np.array([0, 2]), torch.tensor([0, 2]), (task for task in (0, 2)), {np.int64(0), 2}):
        assert stepper.step(net.losses, tasks=right).isnan().tolist() == [False, True, False]
    before = [p.detach().clone() for p in net.parameters()]
    assert stepper.step(net.losses, tasks=[]).isnan().all()
    assert all(torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True))


def test_one_by_one_or_in_a_sentence() -> None:
    """Reentrant checkpoints have no gradient of a single loss; a plain weighting needs none."""
    net = Net()
    net.reentrant = True
    made(net, LinearScalarization(), **net.lists()).step(net.losses)
    for features in ([], [net.second]):
        with pytest.raises(BenchError, match=r"gradient of each task alone.*checkpoint with use_reentrant=False"):
            made(net, features=features, **net.lists()).step(net.losses)


@pytest.mark.parametrize("method", [LinearScalarization(), Counting(), MGDA(at="feature")])
def test_a_norm_inside_a_checkpoint_is_a_sentence_or_follows_every_forward(method: Method) -> None:
    """It is off when the checkpoint repeats the forward, which then is another one."""
    norm = nn.BatchNorm1d(8).double()
    for updates in ("first", "all"):
        net, plain = Net(), Net()
        model = nn.ModuleList([net, norm])

        def losses(net: Net = net) -> list[Tensor]:
            z = net.second(checkpoint(nn.Sequential(net.first, norm, nn.Tanh()), IMAGE, use_reentrant=False))
            return [(head(z) - k).square().mean() for k, head in enumerate(net.heads)]

        lists = {"shared": [net.first, net.second, norm], "heads": list(net.heads)}
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        stepper = made(
            net, method, model=model, features=[net.second], optimizer=optimizer, bn_updates=updates, **lists
        )
        if updates == "first":
            with pytest.raises(BenchError, match=r'^A checkpoint cannot repeat.*number of tensors.*bn_updates="all"'):
                stepper.step(losses)
            assert all(torch.equal(*pair) for pair in zip(net.parameters(), plain.parameters(), strict=True))
        else:
            stepper.step(losses)
            assert not torch.equal(net.first.weight, plain.first.weight)


@pytest.mark.parametrize("fails", [False, True])
def test_outputs_of_named_modules_are_kept_by_nobody(fails: bool) -> None:
    """A validation between two steps, and what follows a step, read the modules' own outputs."""
    net = Net()
    stepper = made(net, features=[net.second], model=net, **net.lists())
    if fails:
        with pytest.raises(BenchError):
            stepper.step(lambda: net.losses()[:2])
    stepper.step(net.losses)
    output = net.second(net.first(IMAGE))
    assert output.grad_fn.name() == "AddmmBackward0"  # type: ignore[union-attr]
    assert not stepper.taps.features
    assert not stepper.taps.taps
    before = net.second.weight.detach().clone()
    stepper.step(net.losses)
    assert not torch.equal(net.second.weight, before)


def test_a_compiled_encoder_is_tapped_and_tracked_as_a_plain_one() -> None:
    """Its forward outside the step, in between, is compiled apart."""
    ends = []
    for compiled in (False, True):
        net, norm = Net(), nn.BatchNorm1d(6).double()
        encoder = nn.Sequential(net.first, nn.Tanh(), net.second, norm)
        call = torch.compile(encoder, backend="aot_eager") if compiled else encoder
        lists = {"shared": encoder, "heads": list(net.heads)}
        parameters = [*net.parameters(), *norm.parameters()]
        optimizer = torch.optim.SGD(parameters, lr=0.1)
        stepper = made(net, MGDA(at="feature"), features=[encoder], model=encoder, optimizer=optimizer, **lists)
        for _ in range(3):

            def losses(net: Net = net, call: nn.Module = call) -> list[Tensor]:
                z = call(IMAGE)
                return [(head(z) - k).square().mean() for k, head in enumerate(net.heads)]

            stepper.step(losses)
            call(IMAGE)
        ends.append(torch.cat([p.detach().flatten() for p in [*parameters, norm.running_mean]]))
        assert norm.num_batches_tracked == 6
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-14)


def test_a_layer_that_joins_later_is_named() -> None:
    net = Net()
    stepper = made(net, model=net)
    stepper.step(net.losses)
    net.later = True
    with pytest.raises(BenchError, match=r"extra\.weight is reached by the loss of task task_0 and is neither"):
        stepper.step(net.losses)


@pytest.mark.parametrize("change", ["freeze", "add"])
def test_what_trains_does_not_change_behind_its_back(change: str) -> None:
    net = Net()
    net.second.requires_grad_(False)
    optimizer = torch.optim.SGD([*net.first.parameters(), *net.heads.parameters()], lr=0.1)
    stepper = made(net, optimizer=optimizer, **net.lists())
    stepper.step(net.losses)
    if change == "freeze":
        net.first.requires_grad_(False)
    else:
        optimizer.add_param_group({"params": net.second.parameters()})
    with pytest.raises(BenchError, match=r"frozen, set free or handed to the optimizer.*make a new one"):
        stepper.step(net.losses)


def test_lists_that_cannot_be_meant() -> None:
    net = Net()
    refused: list[tuple[str, dict[str, Any]]] = [
        ("listed both as shared and as a task's own", {"shared": net.parameters(), "heads": list(net.heads)}),
        ("not a tuple", {"shared": net.first.named_parameters(), "heads": list(net.heads)}),
        (
            "optimizer holds no parameter of shared=",
            {**net.lists(), "optimizer": torch.optim.SGD([nn.Parameter(IMAGE)])},
        ),
        (
            r"Parameter 0 of heads\[0\], \[2, 6\], requires a gradient, and the optimizer does not hold it",
            {**net.lists(), "optimizer": torch.optim.SGD([*net.first.parameters(), *net.second.parameters()])},
        ),
        (
            r"shape \[2, 6\] is listed as task 1's own and as task 2's",
            {**net.lists(), "heads": [net.heads[0], net.heads[1], net.heads[1]]},
        ),
        (
            "choose fused=False, or dampening=0",
            {**net.lists(), "optimizer": torch.optim.SGD(net.parameters(), 1, 0.9, dampening=0.5, fused=True)},
        ),
        ("LBFGS runs forwards within its step", {**net.lists(), "optimizer": torch.optim.LBFGS(net.parameters())}),
        ("No loss reaches a shared parameter", {"shared": net.extra, "heads": list(net.heads)}),
    ]
    for said, given in refused:
        with pytest.raises(BenchError, match=said):
            made(net, **given).step(lambda: [head(IMAGE @ IMAGE.T[:, :6]).mean() for head in net.heads])


def test_lists_may_be_made_on_the_way() -> None:
    ends = []
    for heads in (list, iter):
        net = Net()
        made(net, shared=iter([net.first, net.second]), heads=heads(net.heads)).step(net.losses)
        ends.append(net.second.weight)
    assert torch.equal(*ends)
    made(net, shared=[net.first, net.second], heads=net.heads[0]).step(lambda: net.losses()[:1])


class Nested(Net):
    """Heads read the first layer, and what is computed from it."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool.double()

    def losses(self) -> list[Tensor]:
        z = self.second(torch.tanh(self.first(IMAGE)))
        pooled = self.pool(z)
        return [(head(z if k else pooled) - k).square().mean() for k, head in enumerate(self.heads)]


@pytest.mark.parametrize("method", [LinearScalarization(), PCGrad(), MGDA(at="feature")])
@pytest.mark.parametrize("pool", [nn.Flatten(), nn.Linear(6, 6)])
def test_a_feature_computed_from_another_is_refused(method: Method, pool: nn.Module) -> None:
    net = Nested(pool)
    lists = {"shared": [net.first, net.second, net.pool], "heads": list(net.heads)}
    for features in ([net.second, net.pool], [net.pool, net.second], [net.second, net.second]):
        stepper = made(net, method, features=features, **lists)
        with pytest.raises(BenchError, match="computes its output from that of the other"):
            stepper.step(net.losses)
        stepper.remove_hooks()


class InPlace(Net):
    """The shared tensor is written into: before the heads, or by one of them."""

    def __init__(self, head: int | None) -> None:
        super().__init__()
        self.head = head

    def forward(self, image: Tensor) -> list[Tensor]:
        z = self.second(torch.tanh(self.first(image)))
        z = z.mul_(2) if self.head is None else z
        return [head(z.mul_(2) if self.head == k else z) for k, head in enumerate(self.heads)]


@pytest.mark.parametrize("method", [Counting(), Counting(at="feature")])
@pytest.mark.parametrize("head", [None, 0, 1, 2])
def test_writing_into_a_named_tensor_is_as_in_autograd_or_refused(method: Method, head: int | None) -> None:
    net, plain = InPlace(head), InPlace(head)
    stepper = made(net, method, features=[net.second], **net.lists())
    if head:
        with pytest.raises(BenchError, match="overwritten in place after the loss of task task_0 has read it"):
            stepper.step(net.losses)
        return
    stepper.step(net.losses)
    for name, gradient in expected(plain).items():
        moved = plain.get_parameter(name) - net.get_parameter(name)
        torch.testing.assert_close(moved, gradient, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("found", [True, False])
def test_a_model_compiled_as_a_whole(found: bool) -> None:
    """Its one node does not tell who reaches what: taken as listed, else refused."""
    net, plain = Net(), Net()
    compiled = torch.compile(net, backend="aot_eager")
    stepper = made(net, LinearScalarization(), **({"model": net} if found else net.lists()))

    def losses() -> list[Tensor]:
        return [(output - k).square().mean() for k, output in enumerate(compiled(IMAGE))]

    if found:
        with pytest.raises(BenchError, match="one compiled graph, which hides"):
            stepper.step(losses)
        return
    stepper.step(losses)
    torch.stack(plain.losses()).sum().backward()
    for (name, parameter), old in zip(net.named_parameters(), plain.parameters(), strict=True):
        if old.grad is not None:
            torch.testing.assert_close(parameter, old - old.grad, rtol=1e-12, atol=1e-14, msg=name)
    with pytest.raises(BenchError, match=r"each task alone.*donated_buffer = False"):
        made(net, PCGrad(), **net.lists()).step(losses)


def test_parts_of_another_precision() -> None:
    """Rows are kept as finely as the finest part, and every parameter gets its own type back."""
    net = Net()
    net.heads[0].float()
    net.second.float()

    def losses() -> list[Tensor]:
        z = torch.tanh(net.second(torch.tanh(net.first(IMAGE)).float()))
        return [(head(z.to(head.weight)) - k).square().mean() for k, head in enumerate(net.heads)]  # type: ignore

    made(net, shared=[net.second, net.first], heads=list(net.heads)).step(losses)
    assert net.second.weight.dtype == net.heads[0].weight.dtype == torch.float32
    assert net.first.weight.isfinite().all()
