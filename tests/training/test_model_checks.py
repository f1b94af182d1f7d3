"""Situations that people meet with models of their own: right by plain autograd, or refused before the first batch."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.data.order import Batches
from mtl_bench.data.packed import Field, Packed, write_packed
from mtl_bench.data.split import Batch, Split
from mtl_bench.errors import BenchError
from mtl_bench.methods import LossWeighting, Method
from mtl_bench.methods.interface import Context
from mtl_bench.models import LeNet
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.engines.engine import Level
from mtl_bench.tasks import Classification, Regression, Task
from mtl_bench.training.build import build_optimizer
from mtl_bench.training.machine import Machine
from mtl_bench.training.model_checks import check_last_batch, check_reach
from mtl_bench.training.plan import Plan
from tests.methods.test_method_contract import COMPOSED, CONFIGS, PER_TASK, make

TASKS: dict[str, Task] = {"shape": Classification(3), "depth": Regression(2, "mse"), "colour": Regression(2, "mse")}
METHODS = [name for name in [*CONFIGS, *COMPOSED] if name not in PER_TASK]
FEATURE = ("graddrop", "mgda-ub", "rgw")  # they take gradients at the shared tensors


class Net(MultiTaskModel):
    """Two shared layers and a linear head per task, in float64."""

    def __init__(self, skip: bool = False) -> None:
        super().__init__()
        self.skip = skip
        self.first, self.second = nn.Linear(5, 8), nn.Linear(8, 6)
        width = 11 if skip else 6
        self.heads = nn.ModuleDict({name: nn.Linear(width, task.outputs) for name, task in TASKS.items()})
        self.double()

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        hidden = torch.tanh(self.second(torch.tanh(self.first(image.flatten(1)))))
        return [image.flatten(1), hidden] if self.skip else [hidden]

    def decode(self, features: list[Tensor], task: int) -> Tensor:
        return self.heads[self.tasks[task]](torch.cat(features, dim=1))


def built(change: Callable[[Net], object] = lambda net: None, skip: bool = False) -> Net:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net(skip)
    change(net)
    return net


def batch(size: int = 12) -> Batch:
    draw = torch.Generator().manual_seed(1)
    targets = {"shape": torch.randint(3, (size,), generator=draw)}
    targets |= {name: torch.randn(size, 2, generator=draw, dtype=torch.float64) for name in ("depth", "colour")}
    return Batch(torch.randn(size, 1, 1, 5, generator=draw, dtype=torch.float64), targets, None)


def machine(net: Net) -> Machine:
    return Machine(
        model=net,
        tasks=TASKS,
        optimizer=torch.optim.SGD(net.parameters(), lr=0.1),
        generator=torch.Generator().manual_seed(2),
        device_generator=torch.Generator().manual_seed(3),
        device=torch.device("cpu"),
        held_out=lambda number: batch(),
    )


def context(of: Machine) -> Context:
    names = {
        "tasks": tuple(TASKS),
        "likelihoods": tuple(task.likelihood for task in TASKS.values()),
        "static_weights": {},
        "epochs": 1,
        "steps_per_epoch": 4,
        "device": of.device,
        "per_task_path": False,
        "last_shared": of.last_shared,
        "shared": {name: p.shape for name, p in of.shared.items()},
        "frozen": not of.shared,
        "held_out": True,
    }
    return Context(**names)  # type: ignore[arg-type]


def reference_rows(net: Net) -> list[dict[str, Tensor]]:
    """One whole backward per task, over what requires a gradient."""
    net = copy.deepcopy(net)
    live = {name: p for name, p in net.named_parameters() if p.requires_grad}
    found = []
    given = batch()
    for k, (name, task) in enumerate(TASKS.items()):
        total, count = task.loss(net.decode(net.encode(given.image), k), given.targets[name])
        row = torch.autograd.grad(total / count, list(live.values()), allow_unused=True)
        found.append({n: g for n, g in zip(live, row, strict=True) if g is not None})
    return found


def trained(net: Net, method: Method, batches: int = 3) -> Float[Tensor, "P"]:
    made = machine(net)
    method.setup(context(made))
    for n in range(batches):
        method.update(made.step(batch(), epoch=0, progress=n / batches))
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def freeze(*names: str) -> Callable[[Net], object]:
    def change(net: Net) -> None:
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(not name.startswith(names))

    return change


FROZEN = {"a layer": ("first.",), "another": ("second.",), "a head": ("heads.depth",), "bias": ("first.bias",)}


LEVELS: list[tuple[tuple[str, ...], Level]] = [  # a model whose last shared layer is frozen has none to balance at
    (names, level)
    for names in FROZEN.values()
    for level in ("shared", "feature", "last_layer")
    if (names, level) != (("second.",), "last_layer")
]


@pytest.mark.parametrize(("names", "level"), LEVELS)
def test_rows_run_over_what_requires_a_gradient(names: tuple[str, ...], level: Level) -> None:
    net = built(freeze(*names))
    made, expected = machine(net), reference_rows(net)
    step = made.step(batch())
    rows = step.gradients(step.losses(at=level), at=level)
    shared = [name for name in made.shared if not name.startswith(names)]
    assert list(made.shared) == shared
    if level == "shared":
        matrix = torch.stack([torch.cat([row[name].flatten() for name in shared]) for row in expected])
        torch.testing.assert_close(rows.matrix(), matrix, rtol=1e-12, atol=1e-15)
    rows.combine(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is None
            continue
        own = name.startswith("heads.")
        total = sum((1 if own else w) * row[name] for w, row in enumerate(expected, start=1) if name in row)
        torch.testing.assert_close(parameter.grad, total, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("names", FROZEN.values(), ids=FROZEN)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_what_is_not_frozen(name: str, names: tuple[str, ...]) -> None:
    net = built(freeze(*names))
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    if (names, name) == (("second.",), "gradnorm"):
        with pytest.raises(BenchError, match="no last shared layer that trains"):
            trained(net, make(name))
        return
    trained(net, make(name))
    for n, parameter in net.named_parameters():
        assert torch.equal(parameter, before[n]) == n.startswith(names), n


@pytest.mark.parametrize("name", METHODS)
def test_a_frozen_encoder_trains_heads_or_is_refused_at_the_start(name: str) -> None:
    """Methods that compare gradients of shared parameters have nothing to compare."""
    net, method = built(freeze("first.", "second.")), make(name)
    plain = isinstance(method, LossWeighting) and method.scale_heads
    if not (plain or name in STEPPING):
        with pytest.raises(BenchError, match="requires"):
            trained(net, method)
        return
    before = copy.deepcopy(net.state_dict())
    trained(net, method)
    moved = {n for n, value in net.state_dict().items() if not torch.equal(value, before[n])}
    assert moved == {n for n, _ in net.named_parameters() if n.startswith("heads.")}


@pytest.mark.parametrize("name", METHODS)
def test_a_skip_from_the_image_is_no_end_of_the_encoder(name: str) -> None:
    """A shared tensor without a gradient: rows and updates equal those of plain autograd on the same network."""
    net = built(skip=True)
    made, expected = machine(net), reference_rows(net)
    step = made.step(batch())
    rows = step.gradients(step.losses())
    for task, row in enumerate(expected):
        whole = torch.cat([row[n].flatten() for n in made.shared])
        torch.testing.assert_close(rows.matrix()[task], whole, rtol=1e-12, atol=1e-15)
    trained(net, make(name))
    if name in FEATURE:
        step = made.step(batch())
        assert [n for n, _ in step.gradients(step.losses(), at="feature").layers()] == ["feature.1"]


def test_a_skip_changes_no_gradient_at_the_features() -> None:
    """The heads' columns for the image get what they always get; the sweep through the encoder is the same."""
    net = built(skip=True)
    expected, step = reference_rows(net), machine(net).step(batch())
    step.gradients(step.losses(), at="feature").combine(torch.ones(3, dtype=torch.float64))
    for name, parameter in net.named_parameters():
        total = sum(row[name] for row in expected if name in row)
        torch.testing.assert_close(parameter.grad, total, rtol=1e-12, atol=1e-15)


STEPPING = ("famo", "ls_repeated", "random_groups", "round_robin", "stgu", "stgu_causal", "stgu, full")


def tie_heads(net: Net) -> None:
    net.heads["colour"] = net.heads["depth"]


def tie_weights(net: Net) -> None:
    net.heads["colour"].weight = net.heads["depth"].weight  # type: ignore[union-attr]


class Decoding(Net):
    """A parameter outside the heads that only `decode` uses."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6, dtype=torch.float64))

    def decode(self, features: list[Tensor], task: int) -> Tensor:
        return super().decode([features[0] * self.scale], task)


class Borrowing(Net):
    """The head of one task also uses a weight of the encoder."""

    def decode(self, features: list[Tensor], task: int) -> Tensor:
        return super().decode([features[0] @ self.second.weight[:, :6] if task == 1 else features[0]], task)


class Supervised(Net):
    """A layer that only trains, and only in training mode, behind the shared tensors of all tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.auxiliary = nn.Linear(6, 2).double()

    def decode(self, features: list[Tensor], task: int) -> Tensor | list[Tensor]:  # type: ignore[override]
        output = super().decode(features, task)
        return [output, self.auxiliary(features[0])] if self.training and task else output


class Taking(Net):
    """Heads that take the list of shared tensors apart."""

    def decode(self, features: list[Tensor], task: int) -> Tensor:
        features[0] = features[0] * 2
        return super().decode([features.pop()], task)


class Overwriting(Net):
    """Writes in place into the image, or in heads into a shared tensor; in fp32, as images are."""

    def __init__(self, heads: str = "", image: bool = False, skip: bool = False, paths: bool = False) -> None:
        super().__init__(skip)
        self.writing, self.image, self.per_task_path = heads.split(), image, paths
        self.float()

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        return super().encode(image.sub_(0.5) if self.image else image)

    def decode(self, features: list[Tensor], task: int) -> Tensor:
        writes = self.tasks[task] in self.writing
        return super().decode([feature.mul_(2) if writes else feature for feature in features], task)


class Counted(Net):
    """Puts another tensor in a buffer's place."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("forwards", torch.zeros(()))

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        self.forwards = self.forwards + 1
        return super().encode(image)


class TwiceListed(Net):
    def shared_parameters(self) -> dict[str, nn.Parameter]:
        return dict(self.named_parameters())


class TiedListed(Net):
    """One head of two tasks, which both call their own."""

    def __init__(self) -> None:
        super().__init__()
        tie_heads(self)

    def task_parameters(self, task: int) -> dict[str, nn.Parameter]:
        return dict(self.heads[self.tasks[task]].named_parameters())


@pytest.fixture
def split(tmp_path: Path) -> Split:
    given = batch()
    fields = {
        "image": Field("float32", (1, 1, 5), "float"),
        "shape": Field("int8", (), "class"),
        "depth": Field("float32", (2,), "float"),
        "colour": Field("float32", (2,), "float"),
    }
    arrays = {"image": given.image.float().numpy(), "shape": given.targets["shape"].to(torch.int8).numpy()}
    arrays |= {name: given.targets[name].float().numpy() for name in ("depth", "colour")}
    write_packed(tmp_path / "packed", "cases", {"train": arrays}, fields, "made up", {})
    return Split(Packed.open(tmp_path / "packed"), ["train"], list(TASKS), "cpu")


def refused() -> Iterator[tuple[Net, str]]:
    yield built(tie_heads), r"heads\.depth\.weight belongs to task depth, but the loss of task colour reaches it"
    yield built(tie_weights), r"heads\.depth\.weight belongs to task depth, but the loss of task colour reaches it"
    yield Decoding(), r"scale is shared and task shape uses it behind the shared tensors"
    yield Borrowing(), r"second\.weight is shared and task depth uses it behind the shared tensors"
    yield Overwriting(image=True), r"Overwriting.encode changes its input in place"
    yield Overwriting(image=True, paths=True), r"Overwriting.encode changes its input in place"
    yield Overwriting("shape"), r"head of shape overwrites in place what it is handed"
    yield Overwriting("colour"), r"head of colour overwrites in place what it is handed"
    yield Overwriting("shape depth colour"), r"head of shape overwrites in place what it is handed"
    yield Overwriting("depth", skip=True, paths=True), r"head of depth overwrites in place what it is handed"
    yield Supervised(), r"auxiliary\.weight is shared and task depth uses it behind the shared tensors"


@pytest.mark.parametrize(("net", "said"), [*refused()])
def test_gradients_that_would_be_lost_are_refused_by_name(net: Net, said: str, split: Split) -> None:
    made = machine(net)
    before, random = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    with pytest.raises(BenchError, match=said):
        check_reach(made.forward, made.mover.ownership, split)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


class OnlyEvaluated(Net):
    """An InstanceNorm over one pixel has no variance to train on."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(5, track_running_stats=True).double()

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        return super().encode(self.norm(image.flatten(1)[..., None, None]))


def test_a_model_that_only_evaluates_is_refused(split: Split) -> None:
    made = machine(OnlyEvaluated())
    with pytest.raises(BenchError, match=r"Model OnlyEvaluated cannot run in training mode on 3 images .*: ValueError"):
        check_reach(made.forward, made.mover.ownership, split)


def test_a_parameter_has_one_place() -> None:
    with pytest.raises(BenchError, match=r"heads\.shape\.weight is listed both as shared and as a task's own"):
        machine(TwiceListed())
    with pytest.raises(BenchError, match=r"shape \[2, 6\] is listed as task 1's own and as task 2's"):
        machine(TiedListed())


@pytest.mark.parametrize(
    "net",
    [
        built(),
        built(skip=True),
        built(freeze("first.")),
        built(freeze("heads.depth")),
        Taking(),
        Counted(),
        Overwriting("depth", paths=True),
    ],
)
def test_what_is_right_passes(net: Net, split: Split) -> None:
    made, buffers = machine(net), copy.deepcopy(dict(net.named_buffers()))
    check_reach(made.forward, made.mover.ownership, split)
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in net.named_buffers())


class Normed(Net):
    """A norm over single numbers, which one sample cannot have."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8).double()

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        return [torch.tanh(self.second(self.norm(self.first(image.flatten(1)))))]


@pytest.mark.parametrize(("batch_size", "drop_last", "fits"), [(11, False, False), (11, True, True), (5, False, True)])
def test_a_last_batch_of_one_sample_is_asked_of_the_model(
    batch_size: int, drop_last: bool, fits: bool, split: Split
) -> None:
    net = Normed()
    before, batches = copy.deepcopy(net.state_dict()), Batches(split, batch_size, drop_last, 0)
    if fits:
        check_last_batch(machine(net).forward, batches, split)
    else:
        check_last_batch(machine(built()).forward, batches, split)  # without a norm it can
        with pytest.raises(BenchError, match=r"batch of one sample.*Normed.*drop_last=true or another batch_size"):
            check_last_batch(machine(net).forward, batches, split)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("batch_size", "sentence"),
    [
        (8, r"ends with a batch that has a part of one sample, which model Normed"),
        (7, r"ends with a batch that has a part of one sample, which model Normed"),
        (10, r"splits batches into 3 parts, and an epoch ends with a batch of 2; set .*drop_last=true"),
    ],
)
def test_the_parts_of_a_last_batch_are_asked_of_the_model(batch_size: int, sentence: str, split: Split) -> None:
    forward = machine(Normed()).forward
    check_last_batch(forward, Batches(split, 6, False, 0), split, parts=3)
    with pytest.raises(BenchError, match=sentence):
        check_last_batch(forward, Batches(split, batch_size, False, 0), split, parts=3)


def test_an_optimizer_that_runs_forwards_itself_is_refused(compose: Callable[..., Plan]) -> None:
    plan = compose("protocol.training.optimizer._target_=torch.optim.LBFGS")
    with pytest.raises(BenchError, match=r"LBFGS runs forwards within its step.*AdamW"):
        build_optimizer(plan.training, LeNet({"left": 10, "right": 10}, (1, 24, 24)))
