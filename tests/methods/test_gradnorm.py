"""GradNorm: its balance against autograd, and where it can be."""

from typing import Any

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.testing import assert_close

from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.methods.gradnorm import GradNorm
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step import Stepper
from mtl_bench.tasks import Regression, Task
from mtl_bench.training.machine import Machine
from tests.methods.toys import Toy, context, toy

SOUND = torch.tensor(True)
ALL = (0, 1, 2)
DOUBLE = torch.float64


def ready(problem: Toy, **options: Any) -> GradNorm:
    method = GradNorm(**options)
    method.setup(problem.context)
    return method


def by_autograd(
    weights: Float[Tensor, "k"], norms: Float[Tensor, "k"], rates: Float[Tensor, "k"], alpha: float
) -> Float[Tensor, "k"]:
    """∂/∂w of Σ |n_k − mean(n) r_k^α| with the target held constant."""
    free = weights.clone().requires_grad_()
    sizes = free * norms
    target = (sizes.mean() * (rates / rates.mean()) ** alpha).detach()
    (found,) = torch.autograd.grad((sizes - target).abs().sum(), free)
    return found


@pytest.mark.parametrize("alpha", [0.0, 0.12, 1.5])
@pytest.mark.parametrize("at", ["last_layer", "shared"])
def test_equals_adam_on_the_papers_loss(alpha: float, at: str) -> None:
    problem, other = toy(dtype=DOUBLE), toy(dtype=DOUBLE)
    method = ready(problem, alpha=alpha, at=at, lr=0.05)
    last = problem.context.last_shared
    assert last is not None
    w = [torch.ones((), requires_grad=True) for _ in ALL]
    adam, initial = torch.optim.Adam(w, lr=0.05, fused=True), None
    for batch in range(20):
        rows = other.task_gradients(batch)
        losses = other.step(batch).losses()
        if at == "last_layer":
            mine = other.machine.model.last_shared
            names = list(other.machine.shared.values())
            sizes = [p.numel() for p in names]
            (place,) = [n for n, p in enumerate(names) if p is mine]
            rows = rows.split(sizes, dim=1)[place]
        initial = losses.values if initial is None else initial
        weights = torch.stack(w).detach()
        slopes = by_autograd(weights, rows.norm(dim=1).float(), (losses.values / initial).float(), alpha)
        other.step(batch).backward(losses, weights)
        other.machine.mover.optimizer.step()
        other.machine.mover.optimizer.zero_grad()
        for scalar, slope in zip(w, slopes, strict=True):
            scalar.grad = slope
        adam.step()
        moved = torch.stack(w).detach().clamp(min=1e-3)
        for scalar, value in zip(w, moved * 3 / moved.sum(), strict=True):
            scalar.data.copy_(value)
        method.update(problem.step(batch))
    assert_close(method.balance.values(ALL), torch.stack(w).detach(), rtol=1e-5, atol=1e-6)
    assert_close(problem.parameters, other.parameters, rtol=1e-5, atol=1e-7)
    assert (torch.stack(w) - 1).abs().max() > 0.01


def test_weights_keep_their_sum_and_sign() -> None:
    problem = toy(absent=1)
    method = ready(problem, lr=0.5)
    for batch in range(30):
        before = method.balance.values(ALL)
        method.update(problem.step(batch))
        found = method.balance.values(ALL)
        assert found.sum().item() == pytest.approx(3)
        assert (found > 0).all()
        assert batch % 2 == 0 or torch.equal(found[1], before[1])  # absent


def test_the_weak_gradient_gains() -> None:
    """Without a pull by rates, α = 0, norms are to be equal."""
    problem = toy(dtype=DOUBLE)
    method = ready(problem, alpha=0.0, lr=0.02)
    rows = torch.diag(torch.tensor([1.0, 2.0, 4.0], dtype=DOUBLE))
    for _ in range(600):
        method.rebalance(rows, torch.ones(3, dtype=DOUBLE), ALL, SOUND)
    sizes = method.balance.values(ALL) * rows.norm(dim=1)
    assert_close(sizes, sizes.mean().expand(3), rtol=0.05, atol=0)


def test_the_slow_task_gains() -> None:
    problem = toy(dtype=DOUBLE)
    method = ready(problem, lr=0.02)
    rows = torch.eye(3, dtype=DOUBLE)
    method.rebalance(rows, torch.ones(3, dtype=DOUBLE), ALL, SOUND)
    for _ in range(50):
        method.rebalance(rows, torch.tensor([1.0, 0.5, 0.5], dtype=DOUBLE), ALL, SOUND)
    first, *others = method.balance.values(ALL).tolist()
    assert first > 1 > max(others)


def test_the_first_epoch_as_reference() -> None:
    problem = toy()
    method = ready(problem, reference="epoch")
    problem.train(method, range(4))
    assert method.balance.values(ALL).tolist() == [1, 1, 1]
    method.end_epoch(torch.tensor([1.0, torch.nan, 3.0], dtype=DOUBLE))
    assert method.initial.tolist() == [1, 0, 3]
    problem.train(method, range(4, 8))
    assert method.balance.values(ALL).tolist() != [1, 1, 1]
    method.end_epoch(torch.tensor([9.0, 2.0, 9.0], dtype=DOUBLE))
    assert method.initial.tolist() == [1, 2, 3]


@pytest.mark.parametrize("reference", ["first", "epoch"])
def test_theoretical_losses_by_name(reference: str) -> None:
    method = ready(toy(), reference=reference, theoretical={"depth": 2.5})
    assert method.initial.tolist() == [0, 2.5, 0]
    method.rebalance(torch.eye(3), torch.tensor([1.0, 5.0, 3.0]), ALL, SOUND)
    method.end_epoch(torch.tensor([1.0, 4.0, 3.0]))
    assert method.initial.tolist() == [1, 2.5, 3]
    with pytest.raises(BenchError, match=r"method\.theoretical has losses above 0, such as log\(C\)"):
        ready(toy(), theoretical={"depth": 0})


def test_heads_feel_the_weights_unless_told_otherwise() -> None:
    ends = []
    for scale_heads in (True, False):
        problem = toy(dtype=DOUBLE)
        problem.train(ready(problem, scale_heads=scale_heads, lr=0.2), range(8))
        ends.append(problem.parameters)
    assert not torch.allclose(ends[0], ends[1])


def test_one_task_is_plain_descent() -> None:
    problem, plain = toy(dtype=DOUBLE), toy(dtype=DOUBLE)
    method = ready(problem)
    for batch in range(3):
        step, other = problem.step(batch), plain.step(batch)
        step.tasks = other.tasks = (1,)
        method.update(step)
        losses = other.losses()
        other.backward(losses, torch.ones(1, dtype=DOUBLE))
        other.apply()
    assert_close(problem.parameters, plain.parameters)


def test_where_it_cannot_be() -> None:
    with pytest.raises(BenchError, match=r"one shared encoder pass; this model has a path per task: use at=shared\.$"):
        GradNorm().setup(context(per_task_path=True))
    with pytest.raises(BenchError, match=r"no last shared layer that trains: use at=shared\.$"):
        GradNorm().setup(context())
    GradNorm(at="shared").setup(context(per_task_path=True))
    with pytest.raises(BenchError, match="alpha must not be negative"):
        GradNorm(at="shared", alpha=-1.0).setup(context())
    with pytest.raises(BenchError, match="one of last_layer, shared"):
        GradNorm(at="feature").setup(context())  # type: ignore[arg-type]


class Backbone(nn.Module):
    """Two layers, in the order of the forward or not, and a classifier that nobody uses."""

    def __init__(self, forward: bool = True, classifier: bool = False) -> None:
        super().__init__()
        layers = {"first": nn.Linear(5, 8), "second": nn.Linear(8, 6)}
        for name in layers if forward else reversed(layers):
            self.add_module(name, layers[name])
        if classifier:
            self.fc = nn.Linear(6, 10)

    def forward(self, image: Tensor) -> Tensor:
        return self.get_submodule("second")(self.get_submodule("first")(image).tanh()).tanh()


class OnBackbone(MultiTaskModel):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict({name: nn.Linear(6, 2) for name in ("a", "b")})

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        return [self.backbone(image.flatten(1))]


def balanced(net: OnBackbone, loop: str) -> GradNorm:
    """One batch, by the trainer's step or in somebody's loop."""
    method, optimizer = GradNorm(), torch.optim.SGD(net.parameters(), lr=0.1)
    image, heads = torch.randn(4, 1, 1, 5), list(net.heads.values())
    if loop == "trainer":
        targets = dict.fromkeys(net.heads, torch.zeros(4, 2))
        tasks: dict[str, Task] = {name: Regression(2, "mse") for name in net.heads}
        draws = [torch.Generator(), torch.Generator()]
        machine = Machine(net, tasks, optimizer, *draws, torch.device("cpu"))
        method.setup(context(tuple(tasks), last_shared=machine.last_shared))
        method.update(machine.step(Batch(image, targets, None)))
        return method
    given: dict[str, Any] = {"shared": net.backbone.parameters(), "heads": heads} if loop == "given" else {}
    stepper = Stepper(method, model=net, optimizer=optimizer, features=[net.backbone], **given)
    stepper.step(lambda: [head(net.backbone(image.flatten(1))).square().mean() for head in heads])
    return method


@pytest.mark.parametrize("loop", ["trainer", "given", "found"])
def test_it_balances_at_the_last_layer_that_every_loss_reaches_or_says_so(loop: str) -> None:
    assert balanced(OnBackbone(Backbone()), loop).initial.all()
    behind = r"first\.weight is taken for the last shared layer.*second\.weight follows it"
    with pytest.raises(BenchError, match=behind):
        balanced(OnBackbone(Backbone(forward=False)), loop)
    frozen = OnBackbone(Backbone())
    frozen.backbone.second.requires_grad_(False)
    with pytest.raises(BenchError, match="no last shared layer that trains"):
        balanced(frozen, loop)
    if loop == "found":  # what no loss reaches is not shared
        balanced(OnBackbone(Backbone(classifier=True)), loop)
        return
    with pytest.raises(BenchError, match=r"fc\.weight is taken for the last shared layer.*not every loss reaches it"):
        balanced(OnBackbone(Backbone(classifier=True)), loop)


def test_what_is_frozen_before_the_last_layer_is_no_matter() -> None:
    net = OnBackbone(Backbone())
    net.backbone.first.requires_grad_(False)
    for loop in ("trainer", "given", "found"):
        assert balanced(net, loop).initial.all()
