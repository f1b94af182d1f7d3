"""A state that does not fit is one sentence, before any batch."""

from collections.abc import Callable

import pytest
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
    if method is not PCGrad:
        with pytest.raises(BenchError, match="This state is of other options or tasks"):
            other.method.load_state_dict(state["method"])


@pytest.mark.parametrize(
    "method", [GradVac, EGA, AdaTask, STGU, DynamicWeightAverage, lambda: WPCGrad(gamma=1.0), lambda: TAG(period=1)]
)
def test_what_grows_is_loaded(method: Make) -> None:
    """Of a fresh method, and of one that has gone further."""
    state, fresh = stepped(method()).state_dict(), Net()
    stepper(fresh, method(), model=fresh).load_state_dict(state)
    stepped(method()).load_state_dict(state)


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
