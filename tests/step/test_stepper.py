"""`Stepper`: the trainer's own step, bit for bit, in somebody's loop; and one sentence where needs are not met."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods import (
    CSO,
    FAMO,
    TAG,
    DynamicWeightAverage,
    GradDrop,
    GradVac,
    LinearScalarization,
    Method,
    PCGrad,
)
from mtl_bench.methods.interface import Step
from mtl_bench.methods.layer_conflicts import LayerConflicts
from mtl_bench.methods.uw import UncertaintyWeighting
from mtl_bench.step import Stepper
from mtl_bench.step.loop import Losses
from mtl_bench.streams import stream_seed
from tests.methods.test_method_contract import COMPOSED, CONFIGS, PER_TASK, make
from tests.methods.toys import Toy, toy

BATCHES = 9


def trained(problem: Toy, method: Method) -> tuple[Tensor, list[Tensor]]:
    """Through the trainer's step."""
    machine = problem.machine
    machine.mover.generator.manual_seed(stream_seed("method", 0))
    machine.mover.device_generator.manual_seed(stream_seed("method on the device", 0))
    method.setup(problem.context)
    losses = []
    for batch in range(BATCHES):
        step = problem.step(batch)
        step.epoch, step.progress = batch // 4, batch / BATCHES
        method.update(step)
        losses.append(machine.ledger.batch_losses())
        if batch % 4 == 3:
            method.end_epoch(torch.stack(losses[-4:]).double().mean(dim=0))
    return problem.parameters, losses


def looped(problem: Toy, method: Method, named: bool, features: bool) -> tuple[Tensor, list[Tensor]]:
    """Through somebody's loop over the same network; `named`: who owns what is said, else found."""
    model, tasks = problem.machine.model, problem.machine.tasks
    paths = model.per_task_path
    given: dict[str, Any] = {}
    if named or paths:
        given["shared"] = model.shared_parameters().values()
        given["heads"] = [model.task_parameters(k).values() for k in range(3)]

    def held_out(*task: int) -> Any:
        assert not model.training
        batch = problem.machine.held_out(0)  # type: ignore[misc]
        if paths:
            return loss(batch, model.encode(batch.image, *task), *task)
        encoded = model.encode(batch.image)
        return [loss(batch, encoded, k) for k in range(3)]

    stepper = Stepper(
        method,
        optimizer=problem.machine.mover.optimizer,
        model=model,
        features=[model.encoder] if features else [],
        per_task_path=paths,
        task_norms=problem.context.task_norms,
        tasks=list(tasks),
        likelihoods=problem.context.likelihoods,
        total_steps=BATCHES,
        held_out=held_out,
        **given,
    )

    def loss(batch: Any, encoded: list[Tensor], k: int) -> Tensor:
        name = list(tasks)[k]
        total, count = tasks[name].loss(model.decode(encoded, k), batch.targets[name])  # type: ignore[arg-type]
        return total / count

    losses = []
    for n in range(BATCHES):
        batch = problem.batches[n % 4]

        def every(batch: Any = batch) -> list[Tensor]:
            encoded = model.encode(batch.image)
            return [loss(batch, encoded, k) for k in range(3)]

        def split(parts: int, batch: Any = batch) -> list[Losses]:
            return [partial(every, batch.part(np.arange(part, batch.size, parts))) for part in range(parts)]

        def one(k: int, batch: Any = batch) -> Tensor:
            return loss(batch, model.encode(batch.image, k), k)

        losses.append(stepper.step(one if paths else every, split=split))
        if n % 4 == 3:
            stepper.end_epoch()
    return problem.parameters, losses


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("name", [*CONFIGS, *COMPOSED])
def test_a_loop_is_the_trainers_step_bit_for_bit(name: str, named: bool) -> None:
    task_norm = name in PER_TASK
    ours, theirs = (toy("adam", torch.float64, task_norm=task_norm) for _ in range(2))
    parameters, losses = trained(ours, make(name))
    features = not task_norm
    found, seen = looped(theirs, make(name), named, features)
    assert torch.equal(found, parameters)
    assert all(torch.equal(a, b) for a, b in zip(seen, losses, strict=True))
    assert not torch.equal(found, toy("adam", torch.float64, task_norm=task_norm).parameters)


def test_parts_of_a_batch_are_asked_for() -> None:
    encoder, heads = nn.Linear(3, 4), [nn.Linear(4, 1) for _ in range(2)]
    optimizer = torch.optim.SGD(nn.ModuleList([encoder, *heads]).parameters(), lr=0.1)
    stepper = Stepper(make("sdmgrad"), shared=encoder, heads=heads, optimizer=optimizer)
    with pytest.raises(BenchError, match=r"in a loop of your own give step\(…, split=\)"):
        stepper.step(lambda: [head(encoder(torch.ones(6, 3))).square().mean() for head in heads])


@pytest.mark.parametrize("name", ["ls", "pcgrad", "mgda", "stgu", "tag"])
def test_without_the_shared_tensors_named_it_is_the_same(name: str) -> None:
    ours, theirs = (toy("adam", torch.float64) for _ in range(2))
    parameters, _ = trained(ours, make(name))
    found, _ = looped(theirs, make(name), True, False)
    torch.testing.assert_close(found, parameters, rtol=1e-12, atol=1e-14)


class Net(nn.Module):
    """An encoder with a norm, two heads, and places for what goes wrong."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.encoder = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh())
            self.seg, self.depth, self.neck = nn.Linear(8, 3), nn.Linear(8, 1), nn.Linear(8, 8)
        self.double()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        z = self.encoder(image)
        return self.seg(z), self.depth(z)


IMAGE = torch.randn(12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def losses(output: Sequence[Tensor]) -> list[Tensor]:
    return [output[0].square().mean(), (output[1] - 1).square().mean()]


def stepper(net: Net, method: Method, **given: Any) -> Stepper:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    heads = [net.seg.parameters(), net.depth.parameters()]
    return Stepper(method, **{"optimizer": optimizer, "shared": net.encoder, "heads": heads, **given})


def test_five_lines() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    heads = [model.seg.parameters(), model.depth.parameters()]
    made = Stepper(PCGrad(), shared=model.encoder.parameters(), heads=heads, optimizer=optimizer)
    first = made.step(lambda: losses(model(IMAGE)))
    assert first.shape == (2,)
    assert not first.requires_grad
    for _ in range(20):
        last = made.step(lambda: losses(model(IMAGE)))
    assert (last < first).all()


def test_finding_who_owns_what_leaves_no_trace() -> None:
    ends = []
    for found in (False, True):
        model = Net()
        model.register_buffer("forwards", torch.zeros(()))
        model.register_forward_pre_hook(lambda model, _: setattr(model, "forwards", model.forwards + 1))
        given = {"shared": None, "heads": None, "model": model} if found else {"model": model}
        made = stepper(model, LinearScalarization(), **given)
        torch.manual_seed(5)
        made.step(lambda model=model: losses(model(IMAGE)))  # type: ignore[misc]
        ends.append((copy.deepcopy(model.state_dict()), torch.rand(1)))
    assert all(torch.equal(ends[0][0][name], ends[1][0][name]) for name in ends[0][0])
    assert torch.equal(ends[0][1], ends[1][1])
    assert ends[1][0]["forwards"] == 1


def test_what_it_needs_it_asks_for_in_one_sentence() -> None:
    refused: list[tuple[str, Callable[[Net], Stepper]]] = [
        ("both shared= and heads=", lambda model: stepper(model, PCGrad(), heads=None)),
        ("or model=", lambda model: stepper(model, PCGrad(), shared=None, heads=None)),
        ("give Stepper model=", lambda model: stepper(model, FAMO())),
        ("total_steps=", lambda model: stepper(model, CSO(projection="pcgrad"), model=model)),
        ("`features=`", lambda model: stepper(model, GradDrop())),
        ("give `likelihoods`", lambda model: stepper(model, UncertaintyWeighting())),
        ("2 losses and 1 names", lambda model: stepper(model, PCGrad(), tasks=["one"])),
        ("norms per task", lambda model: stepper(model, CSO(), total_steps=3)),
        (r"LayerConflicts goes by layers.*Stepper model=", lambda model: stepper(model, LayerConflicts())),
        (r"GradVac goes by layers.*Stepper model=", lambda model: stepper(model, GradVac(granularity="layer"))),
    ]
    for sentence, make_stepper in refused:
        model = Net()
        before = copy.deepcopy(model.state_dict())
        with pytest.raises(BenchError, match=sentence):
            make_stepper(model).step(lambda model=model: losses(model(IMAGE)))  # type: ignore[misc]
        assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())


def test_losses_that_are_none() -> None:
    model = Net()
    with pytest.raises(BenchError, match=r"loss of task 1 must be a tensor with one element, got shape \[12, 1\]"):
        stepper(model, PCGrad()).step(lambda: [model(IMAGE)[0].mean(), model(IMAGE)[1]])
    with pytest.raises(BenchError, match="got float"):
        stepper(model, PCGrad()).step(lambda: [model(IMAGE)[0].mean(), 0.5])  # type: ignore[list-item]


@pytest.mark.parametrize("method", [PCGrad, LinearScalarization])
def test_a_parameter_that_nobody_listed_is_named(method: type[Method]) -> None:
    model = Net()

    def necked() -> list[Tensor]:
        z = model.neck(model.encoder(IMAGE))
        return losses((model.seg(z), model.depth(z)))

    with pytest.raises(
        BenchError, match=r"Parameter neck\.weight is reached by the loss of task task_0 and is neither"
    ):
        stepper(model, method(), model=model).step(necked)


def test_a_parameter_of_the_wrong_head_is_named() -> None:
    model = Net()

    def crossed() -> list[Tensor]:
        z = model.encoder(IMAGE)
        return losses((model.seg(z), model.depth(z) + model.seg(z)[:, :1]))

    with pytest.raises(BenchError, match=r"seg\.weight belongs to task task_0, but the loss of task task_1 reaches it"):
        stepper(model, PCGrad(), model=model).step(crossed)


def test_a_shared_parameter_behind_the_shared_tensors_is_named() -> None:
    model = Net()

    def again() -> list[Tensor]:
        z = model.encoder(IMAGE)
        return losses((model.seg(z + model.encoder[0](IMAGE)), model.depth(z)))

    with pytest.raises(BenchError, match=r"Parameter encoder\.0\.weight is shared and task task_0 uses it behind"):
        stepper(model, PCGrad(), model=model, features=[model.encoder]).step(again)
    stepper(model, PCGrad(), model=model).step(again)  # without named tensors all of it is found


def test_tasks_without_a_label_are_left_out() -> None:
    model = Net()
    made = stepper(model, PCGrad())
    depth = model.depth.weight.detach().clone()
    values = made.step(lambda: losses(model(IMAGE)), tasks=[0])
    assert values.isnan().tolist() == [False, True]
    assert torch.equal(model.depth.weight, depth)


def test_a_checkpoint_goes_on_bit_for_bit() -> None:
    method: Callable[[], Method] = lambda: PCGrad(weighting=DynamicWeightAverage())  # noqa: E731
    ends = []
    for stop in (None, 5):
        model = Net()
        made = stepper(model, method())
        for n in range(12):
            if n == stop:
                saved = copy.deepcopy((model.state_dict(), made.state_dict()))
                model = Net()
                model.load_state_dict(saved[0])
                made = stepper(model, method())
                made.load_state_dict(saved[1])
            made.step(lambda model=model: losses(model(IMAGE)))  # type: ignore[misc]
            if n % 3 == 2:
                made.end_epoch()
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*ends)


def test_findings_come_by_the_names_of_the_tasks() -> None:
    model = Net()
    made = stepper(model, TAG(), model=model, tasks=["seg", "depth"])
    made.step(lambda: losses(model(IMAGE)))
    found = made.end_epoch()
    assert len(found["affinity"]) == 2
    assert made.method.context.tasks == ("seg", "depth")


class Breaking(LinearScalarization):
    """Fails with the gradients written, as long as it is told to."""

    def update(self, step: Step) -> None:
        if not self.broken:
            super().update(step)
            return
        found = step.losses()
        step.backward(found, torch.full((len(found.tasks),), torch.nan))
        raise KeyError("memory")

    broken = True


def tracked(net: Net) -> int:
    return int(net.encoder[1].num_batches_tracked)  # type: ignore[arg-type]


@pytest.mark.parametrize("updates", ["first", "all"])
def test_a_second_stepper_on_a_model_goes_on(updates: str) -> None:
    """Another method from here on, a layer set free: statistics move as before."""
    model = Net()
    stepper(model, FAMO(), model=model).step(lambda: losses(model(IMAGE)))
    assert tracked(model) == 1
    second = stepper(model, FAMO(), model=model, bn_updates=updates)
    second.step(lambda: losses(model(IMAGE)))
    assert tracked(model) == (2 if updates == "first" else 3)  # FAMO runs two forwards


def test_statistics_are_anyones_between_batches() -> None:
    model = Net()
    made = stepper(model, PCGrad(), model=model)
    made.step(lambda: losses(model(IMAGE)))
    data = torch.utils.data.DataLoader(IMAGE, batch_size=6)
    torch.optim.swa_utils.update_bn(data, model)
    torch.testing.assert_close(model.encoder[1].running_mean, model.encoder[0](IMAGE).mean(dim=0))
    made.step(lambda: losses(model(IMAGE)))
    assert tracked(model) == 3


def test_a_step_that_raised_leaves_nothing_to_the_next() -> None:
    ends = []
    for failing in (False, True):
        model = Net()
        method = Breaking()
        made = stepper(model, method, model=model)
        method.broken = failing
        if failing:
            with pytest.raises(KeyError):
                made.step(lambda model=model: [torch.nan * loss for loss in losses(model(IMAGE))])  # type: ignore[misc]
            model.load_state_dict(Net().state_dict())
        method.broken = False
        values = made.step(lambda model=model: losses(model(IMAGE)))  # type: ignore[misc]
        assert made.step(lambda: [], tasks=[]).isnan().all()
        ends.append((values, made.epoch_means.close(), *model.state_dict().values()))
    assert all(torch.equal(*pair) for pair in zip(*ends, strict=True))


def test_layers_go_by_the_names_of_the_model() -> None:
    model = Net()
    counting, vaccine = LayerConflicts(), GradVac(granularity="layer")
    for method in (counting, vaccine):
        stepper(model, method, model=model).step(lambda: losses(model(IMAGE)))
    assert list(counting.layers) == ["encoder.0", "encoder.1"]
    assert len(vaccine.targets) == 2


class Convolution(nn.Module):
    """A convolution with a norm per task that makes each task own some channels."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv = nn.Conv2d(1, 8, 3)
            self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(2))
            self.heads = nn.ModuleList(nn.Linear(8, 1) for _ in range(2))
        with torch.no_grad():
            for k, norm in enumerate(self.norms):
                norm.weight.copy_(1 + torch.arange(8).roll(3 * k))
        self.double()

    def loss(self, task: int) -> Tensor:
        image = torch.randn(6, 1, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        z = self.norms[task](self.conv(image)).relu().mean(dim=(2, 3))
        return (self.heads[task](z) * (1 - 2 * task) - 1).square().mean()

    def stepped(self, method: Method, norms: Any, **given: Any) -> Stepper:
        lists = [[*self.norms[k].parameters(), *self.heads[k].parameters()] for k in range(2)]
        made = Stepper(
            method,
            shared=self.conv,
            heads=lists,
            optimizer=torch.optim.SGD(self.parameters(), lr=0.1),
            per_task_path=True,
            task_norms=norms,
            **given,
        )
        made.step(self.loss)
        return made


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("key", ["conv.weight", "conv1", "what I call it"])
def test_a_weight_of_task_norms_is_known_by_itself_and_not_by_its_name(key: str, named: bool) -> None:
    ends = {}
    for method in (CSO(phase=2), LinearScalarization()):
        net = Convolution()
        norms = {key: (net.conv.weight, tuple(net.norms))}
        made = net.stepped(method, norms, **({"model": net} if named else {}))
        ends[type(method)] = net.conv.weight
    projected, net = ends[CSO], Convolution()
    net.stepped(CSO(phase=2), {"conv.weight": (net.conv.weight, tuple(net.norms))}, model=net)
    assert torch.equal(projected, net.conv.weight)
    assert not torch.allclose(projected, ends[LinearScalarization], rtol=1e-3)
    assert len(made.method.context.task_norms) == 1


def test_task_norms_that_cannot_be_meant() -> None:
    net = Convolution()
    refused: list[tuple[str, CSO, Any]] = [
        ("'head' is not among those that are shared", CSO(phase=2), {"head": (net.heads[0].weight, tuple(net.norms))}),
        ("'conv' has 1 norms; give one for each", CSO(phase=2), {"conv": (net.conv.weight, tuple(net.norms[:1]))}),
        (
            r"named convN.*method\.pairs=all",
            CSO(phase=2, pairs="released"),
            {"conv1": (net.conv.weight, tuple(net.norms))},
        ),
    ]
    for said, method, norms in refused:
        with pytest.raises(BenchError, match=said):
            net.stepped(method, norms)


def test_an_optimizer_that_cannot_step_says_so_in_one_sentence() -> None:
    encoder, heads = nn.Linear(2, 2), [nn.Linear(2, 1), nn.Linear(2, 1)]
    optimizer = torch.optim.SparseAdam([p for part in (encoder, *heads) for p in part.parameters()])
    stepper = Stepper(LinearScalarization(), shared=encoder, heads=heads, optimizer=optimizer)
    with pytest.raises(BenchError, match=r"SparseAdam cannot step on the gradients of this model: .* dense gradients"):
        stepper.step(lambda: [head(encoder(torch.ones(3, 2))).square().mean() for head in heads])
