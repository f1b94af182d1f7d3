"""A state that does not fit is one sentence, before any batch."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods import (
    DBMTL,
    EGA,
    STGU,
    TAG,
    AdaTask,
    CAGrad,
    DynamicWeightAverage,
    GradVac,
    LayerConflicts,
    Method,
    PCGrad,
    TorchJD,
    UncertaintyWeighting,
    WPCGrad,
)
from mtl_bench.methods.interface import Context
from mtl_bench.step import Stepper
from tests.methods.toys import TORCHJD
from tests.step.test_stepper import IMAGE, Net, losses, stepper

Make = Callable[[], Method]


def stepped(method: Method, tasks: int = 2) -> Stepper:
    model = Net()
    heads = [model.seg, model.depth, model.neck][:tasks]
    made = stepper(model, method, model=model, heads=heads, likelihoods=["regression"] * tasks)

    def some() -> list[Tensor]:
        return [*losses(model(IMAGE)), model.neck(model.encoder(IMAGE)).square().mean()][:tasks]

    for _ in range(2):
        made.step(some)
    made.end_epoch()
    return made


@pytest.mark.parametrize(
    ("saved", "other"),
    [
        (lambda: DynamicWeightAverage(window=2), lambda: DynamicWeightAverage(window=3)),
        (lambda: DynamicWeightAverage(window=2), DynamicWeightAverage),
        (DynamicWeightAverage, lambda: DynamicWeightAverage(window=2)),
        (lambda: TAG(period=1), lambda: TAG(period=1, measure="lookahead")),
        (lambda: CAGrad(weighting=UncertaintyWeighting()), CAGrad),
        (CAGrad, lambda: CAGrad(weighting=UncertaintyWeighting())),
        (LayerConflicts, lambda: LayerConflicts(train_by=PCGrad())),
        (lambda: LayerConflicts(train_by=PCGrad()), LayerConflicts),
    ],
)
def test_other_options(saved: Make, other: Make) -> None:
    state = stepped(saved()).state_dict()
    with pytest.raises(BenchError, match=r"^This state is of other options or tasks than \w+ has here \(.*saved\.$"):
        stepped(other()).load_state_dict(state)


@pytest.mark.parametrize("method", [DynamicWeightAverage, UncertaintyWeighting, AdaTask, PCGrad, STGU, DBMTL])
def test_another_number_of_tasks(method: Make) -> None:
    state, other = stepped(method()).state_dict(), stepped(method(), tasks=3)
    with pytest.raises(BenchError, match="state of a stepper of 2 tasks, and here are 3; give it the same losses"):
        other.load_state_dict(state)


@pytest.mark.parametrize(
    "method", [GradVac, EGA, AdaTask, STGU, DynamicWeightAverage, lambda: WPCGrad(gamma=1.0), lambda: TAG(period=1)]
)
def test_what_grows_is_loaded(method: Make) -> None:
    """Of a fresh method, and of one that has gone further."""
    state, fresh = stepped(method()).state_dict(), Net()
    stepper(fresh, method(), model=fresh).load_state_dict(state)
    stepped(method()).load_state_dict(state)


class Remembering(PCGrad):
    """Lists and rows that grow, and something of its own in the state."""

    state: ClassVar[tuple[str, ...]] = ("history", "rows", "memory")

    def setup(self, context: Context) -> None:
        super().setup(context)
        self.history: list[int] = [0]
        self.rows = torch.zeros(1, 2)
        self.memory: dict[str, int] | None = None
        self.more = 0

    def end_epoch(self, means: Tensor) -> None:
        self.history.append(1)
        self.rows, self.memory, self.more = torch.cat([self.rows, means[None]]), {"epochs": 1}, 1

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "more": self.more}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.more = state["more"]


def test_states_of_somebody_elses_method_are_free() -> None:
    state, fresh = stepped(Remembering()).state_dict(), Net()
    method = Remembering()
    stepper(fresh, method, model=fresh).load_state_dict(state)
    assert (method.history, len(method.rows), method.memory, method.more) == ([0, 1], 2, {"epochs": 1}, 1)


@pytest.mark.skipif(not TORCHJD, reason="TorchJD is not installed")
def test_another_aggregator() -> None:
    state = stepped(TorchJD(aggregator="GradVac")).state_dict()
    state["method"]["memory"] = {"weighting.of_no_such_part": {"rho": 1.0}}
    with pytest.raises(BenchError, match="This state is of other options"):
        stepped(TorchJD(aggregator="UPGrad")).load_state_dict(state)


@pytest.mark.parametrize("method", [PCGrad, AdaTask])
def test_a_method_before_setup(method: Make) -> None:
    state = stepped(method()).method.state_dict()
    with pytest.raises(BenchError, match="This state is of other options"):
        method().load_state_dict(state)
