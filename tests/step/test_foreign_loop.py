"""What a loop of one's own brings along: gradients from before, a method used before, losses below 0, odd options."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods import (
    EGA,
    FAMO,
    MGDA,
    STCH,
    TAG,
    AdaTask,
    DynamicWeightAverage,
    GO4Align,
    GradNorm,
    GradVac,
    LinearScalarization,
    Method,
    MoCo,
    PCGrad,
    RandomGroups,
    Repeated,
    ScaleInvariant,
    SDMGrad,
    WPCGrad,
)
from mtl_bench.step import Stepper
from tests.step.test_stepper import IMAGE, Net, losses, stepper

METHODS = [
    lambda: DynamicWeightAverage(),
    lambda: STCH(warmup=1),
    lambda: EGA(warmup=0),
    lambda: GradVac(),
    lambda: GradNorm(reference="epoch"),
    lambda: WPCGrad(gamma=1.0),
    lambda: TAG(period=2),
]


def trained(method: Method, batches: int = 9, shift: float = 0.0) -> tuple[Net, Stepper]:
    """Epochs of three batches; `shift` is added to every loss."""
    model = Net()
    made = stepper(model, method, model=model, features=[model.encoder])
    for batch in range(batches):
        made.step(lambda: [loss + shift for loss in losses(model(IMAGE))])
        if batch % 3 == 2:
            made.end_epoch()
    return model, made


def vector(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("method", [LinearScalarization, PCGrad, FAMO, Repeated, TAG])
def test_gradients_from_before_the_step_count_for_nothing(method: type[Method]) -> None:
    ends = []
    for before in (False, True):
        model = Net()
        made = stepper(model, method(), model=model)
        for _ in range(2):
            if before:
                model.eval()
                torch.stack(losses(model(IMAGE))).sum().backward()
                model.train()
            made.step(lambda model=model: losses(model(IMAGE)))  # type: ignore[misc]
        ends.append(vector(model))
    assert torch.equal(*ends)


@pytest.mark.parametrize("make", METHODS)
def test_a_method_that_trained_before_begins_anew(make: Callable[[], Method]) -> None:
    used = make()
    trained(used)
    again, fresh = trained(used), trained(make())
    assert torch.equal(vector(again[0]), vector(fresh[0]))
    assert str(again[1].end_epoch()) == str(fresh[1].end_epoch())


@dataclass(kw_only=True, eq=False)
class Halving(LinearScalarization):
    """What follows from its options is made with it."""

    half_life: float = 10.0
    decay: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.decay = 0.5 ** (1 / self.half_life)


def test_what_a_method_made_of_its_options_stays() -> None:
    method = Halving()
    for _ in range(2):
        stepper(Net(), method)
        assert method.decay == pytest.approx(0.933, abs=1e-3)
        method.decay = 0.0


@dataclass(kw_only=True, eq=False)
class Learning(LinearScalarization):
    net: nn.Linear = field(init=False)
    optimizer: torch.optim.SGD = field(init=False)

    def __post_init__(self) -> None:
        self.net = nn.Linear(1, 1)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)


def test_what_belongs_together_stays_together() -> None:
    method = Learning()
    for _ in range(2):
        stepper(Net(), method)
        assert method.optimizer.param_groups[0]["params"][0] is method.net.weight


def test_numbers_of_numpy_and_torch_are_numbers() -> None:
    for half in (np.float32(0.5), torch.tensor(0.5), np.array([0.5, 1.0])[0]):
        trained(LinearScalarization(fixed={"task_0": half, "task_1": 1}), 1)  # type: ignore[dict-item]
        trained(WPCGrad(priorities={"task_0": half}), 1)  # type: ignore[dict-item]
    trained(Repeated(steps=np.int64(2)), 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: DynamicWeightAverage(),
        lambda: EGA(warmup=0),
        lambda: MGDA(normalise="loss"),
        lambda: MGDA(normalise="loss+"),
        lambda: MoCo(normalise="loss"),
        lambda: GradNorm(),
        lambda: GradNorm(reference="epoch"),
        lambda: ScaleInvariant(),
    ],
)
def test_losses_below_zero_are_no_scale(make: Callable[[], Method], caplog: pytest.LogCaptureFixture) -> None:
    """Divided by, they would turn a task round."""
    with caplog.at_level(logging.WARNING):
        _, made = trained(make(), 12, shift=-9.0)
    assert made.skipped >= 3
    assert "optimizer steps of this epoch moved nothing, because a loss or a gradient was not finite" in caplog.text
    assert trained(make(), 12)[1].skipped == 0


def test_affinities_to_losses_below_zero_are_not_measured() -> None:
    model = Net()
    made = stepper(model, TAG(period=1), model=model)
    made.step(lambda: [losses(model(IMAGE))[0], losses(model(IMAGE))[1] - 9])
    found = made.end_epoch()
    for name in ("affinity", "first_order"):
        assert [row[1] for row in found[name]] == [None, None]
        assert all(row[0] is not None for row in found[name])


@pytest.mark.parametrize("order", [1, -1])
def test_affinities_go_by_the_rate_of_what_is_shared(order: int) -> None:
    found = []
    for groups in (1, 2):
        model = Net()
        heads = [*model.seg.parameters(), *model.depth.parameters()]
        apart = [{"params": model.encoder.parameters(), "lr": 1e-3}, {"params": heads, "lr": 0.1}][::order]
        optimizer = torch.optim.SGD(apart if groups == 2 else model.parameters(), lr=1e-3)
        made = stepper(model, TAG(period=1), model=model, optimizer=optimizer)
        made.step(lambda model=model: losses(model(IMAGE)))  # type: ignore[misc]
        found.append(made.end_epoch()["affinity"])
    torch.testing.assert_close(torch.tensor(found[0]), torch.tensor(found[1]))


def test_a_state_is_a_copy() -> None:
    model = Net()
    made = stepper(model, AdaTask(), optimizer=torch.optim.Adam(model.parameters()))
    made.step(lambda: losses(model(IMAGE)))
    saved = made.state_dict()
    before = str(saved)
    for _ in range(2):
        made.step(lambda: losses(model(IMAGE)))
    assert str(saved) == before
    made.load_state_dict(saved)
    made.step(lambda: losses(model(IMAGE)))
    assert str(saved) == before


def test_a_state_goes_on_counting_and_fits_one_method() -> None:
    _, made = trained(PCGrad())
    _, other = trained(PCGrad(), batches=2)
    other.load_state_dict(made.state_dict())
    assert made.means is not None
    assert other.means is not None
    assert other.means.ledger.counts == made.means.ledger.counts
    with pytest.raises(BenchError, match="state of PCGrad, not of GradVac"):
        stepper(Net(), GradVac()).load_state_dict(made.state_dict())
    with pytest.raises(BenchError, match="before its first batch"):
        other.load_state_dict({})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"clip_norm": -1.0}, "clip_norm is positive and finite"),
        ({"clip_norm": 0.0}, "clip_norm is positive and finite"),
        ({"likelihoods": ["regresion", "regression"]}, "A likelihood is one of classification, regression"),
        ({"tasks": ["a", "a"]}, "names a twice"),
        ({"bn_updates": "every"}, "bn_updates is one of first, all; got 'every'"),
    ],
)
def test_options_that_cannot_be_meant(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        stepper(Net(), PCGrad(), **given)


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (PCGrad, "with its parentheses; got PCGrad"),
        (PCGrad(weighting=MGDA()), "MGDA has a step of its own and weighs no losses"),  # type: ignore[arg-type]
        (PCGrad(weighting=FAMO()), "FAMO has a step of its own and weighs no losses"),  # type: ignore[arg-type]
        (FAMO(gamma=-1.0), "gamma is finite and not negative"),
        (WPCGrad(priorities={"task_0": "high"}), "priorities are numbers by task name"),  # type: ignore[dict-item]
        (LinearScalarization(fixed={"task_0": 1.0, "task_1": None}), "fixed weights are numbers by task name"),  # type: ignore[dict-item]
        (GO4Align(groups=1.5), "groups must be a whole number"),  # type: ignore[arg-type]
        (DynamicWeightAverage(temperature=float("nan")), "temperature must be finite"),
        (STCH(mu=float("inf")), "mu must be finite"),
        (RandomGroups(groups=1.5), "groups must be a whole number"),  # type: ignore[arg-type]
        (Repeated(steps=1.5), "steps must be a whole number"),  # type: ignore[arg-type]
    ],
)
def test_methods_that_cannot_be_meant(method: Method, sentence: str) -> None:
    model = Net()
    with pytest.raises(BenchError, match=sentence):
        stepper(model, method, model=model)


@pytest.mark.parametrize(
    ("split", "sentence"),
    [
        (lambda parts: [lambda: None] * 2, r"split=\(3\) gave 2 parts; return the losses of 3 parts"),
        (lambda parts: [lambda: None] * 4, r"split=\(3\) gave 4 parts"),
        (lambda parts: None, r"split=\(3\) gave None; return a list with the losses of 3 parts"),
        (lambda parts: torch.ones(3), r"split=\(3\) gave tensor"),
        (3, r"split= is a function of a number that gives the losses of so many parts; got 3"),
    ],
)
def test_a_split_that_is_none(split: Any, sentence: str) -> None:
    model = Net()
    with pytest.raises(BenchError, match=sentence):
        stepper(model, SDMGrad(), model=model).step(lambda: losses(model(IMAGE)), split=split)


def test_a_split_may_give_its_parts_one_by_one() -> None:
    model = Net()
    made = stepper(model, SDMGrad(), model=model)
    made.step(lambda: losses(model(IMAGE)), split=lambda n: ((lambda: losses(model(IMAGE))) for _ in range(n)))  # type: ignore[arg-type,return-value]
    assert made.skipped == 0
