"""One sweep for all tasks: to the last bit what one after another gives, where it is asked for and pays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.job import compose_plan
from mtl_bench.methods import MGDA, GradientAggregation, PCGrad
from mtl_bench.methods.interface import TaskGradients
from mtl_bench.models import DenseResNet
from mtl_bench.step import Stepper
from mtl_bench.step.engines import engine, together
from tests.runs import ROOMS, assert_same, train

TASKS = ("depth", "normals", "edges", "classes")
NEVER = 100  # tasks


@dataclass(kw_only=True, eq=False)
class Kept(GradientAggregation):
    rows: list[Tensor] = field(default_factory=list)

    def direction(self, gradients: TaskGradients, *, generator: torch.Generator) -> Tensor:
        self.rows.append(gradients.matrix().clone())
        return self.rows[-1].sum(0)


class Sub(DenseResNet):
    pass


def network(kind: type[DenseResNet] = DenseResNet, tasks: Sequence[str] = TASKS, **options: object) -> DenseResNet:
    torch.manual_seed(0)
    given = {"width": 8, "pyramid": 8, "output_stride": 8} | options
    return kind(dict.fromkeys(tasks, 2), (3, 24, 32), **given)  # type: ignore[arg-type]


def losses_of(model: DenseResNet, seed: int = 0, batch: int = 3) -> Callable[[], list[Tensor]]:
    dtype = next(model.parameters()).dtype
    image = torch.randn(batch, 3, 24, 32, generator=torch.Generator().manual_seed(seed)).to(dtype)

    def losses() -> list[Tensor]:
        features = model.encode(image)
        return [(model.decode(features, k) - k).square().mean() for k in range(len(model.tasks))]  # type: ignore[operator]

    return losses


def stepper(model: DenseResNet, method: object, sweeps_together: bool = True) -> Stepper:
    return Stepper(
        method,  # type: ignore[arg-type]
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        shared=model.shared_parameters().values(),
        heads=[model.task_parameters(k).values() for k in range(len(model.tasks))],
        model=model,
        features=[model.encoder],
        sweeps_together=sweeps_together,
    )


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For every batch of who asks, whether one sweep served it."""
    found: list[bool] = []

    def told(*asked: object) -> bool:
        found.append(together.pays(*asked))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(engine, "pays", told)
    return found


VARIANTS = {
    "as in rooms": {},
    "no pyramid": {"pyramid": None},
    "wide pyramid": {"pyramid": 16},
    "bottlenecks": {"depth": 50},
    "stride 16": {"output_stride": 16, "pyramid": None},
    "small stem": {"stem": "cifar"},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", VARIANTS)
def test_rows_and_what_is_learned_are_the_same_to_the_last_bit(
    name: str, dtype: torch.dtype, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []
    for least in (together.TASKS, NEVER):
        monkeypatch.setattr(together, "TASKS", least)
        model = network(**VARIANTS[name]).to(dtype)
        method = Kept()
        ours = stepper(model, method)
        found = [
            ours.step(losses_of(model, seed), tasks=tasks) for seed, tasks in enumerate((None, [0, 2, 3], [1, 3], None))
        ]
        ended.append([*method.rows, *model.state_dict().values(), *found])
    assert taken == [True, True, False, True, *4 * [False]]
    for one, other in zip(*ended, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("method", [PCGrad, MGDA, lambda: MGDA(normalise="loss+", scale_heads=True)])
def test_methods_on_weighted_gradients_and_under_autocast(
    method: Callable[[], object], taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []
    for least in (together.TASKS, NEVER):
        monkeypatch.setattr(together, "TASKS", least)
        model = network()
        ours = stepper(model, method())
        with torch.autocast("cpu", torch.bfloat16):
            for seed in range(3):
                ours.step(losses_of(model, seed))
        ended.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert taken == [*3 * [True], *3 * [False]]
    assert torch.equal(*ended)


def test_the_trainer_takes_it_for_the_networks_of_rooms(
    data: Path, tmp_path: Path, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []
    widened = [*(override for override in ROOMS if override != "model.width=4"), "model.width=8", "method=pcgrad"]
    for least in (together.TASKS, NEVER):
        monkeypatch.setattr(together, "TASKS", least)
        plan = compose_plan([*widened, "protocol.training.budget.amount=1"], data)
        ended.append(train(plan, tmp_path / str(least)))
    half = len(taken) // 2
    assert taken[:half] == half * [True]
    assert taken[half:] == half * [False]
    assert_same(*ended)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, True),
        ({"pyramid": 16}, True),
        ({"kind": Sub}, False),  # may do anything
        ({"task_norm": True}, False),
        ({"pyramid": None}, False),  # stages are larger than the shared tensor
        ({"pyramid": 8, "width": 16}, False),
        ({"stem": "cifar"}, False),
        ({"width": 4}, False),
    ],
)
def test_which_networks_say_so(change: dict[str, Any], says: bool) -> None:
    assert network(**change).sweeps_together is says


def test_a_loop_that_does_not_ask_has_a_sweep_for_each(taken: list[bool]) -> None:
    model = network()
    stepper(model, Kept(), sweeps_together=False).step(losses_of(model))
    assert taken == []


def test_not_for_two_tasks(taken: list[bool]) -> None:
    model = network(tasks=TASKS[:2])
    stepper(model, Kept()).step(losses_of(model))
    assert taken == [False]


def test_not_with_large_weights(taken: list[bool]) -> None:
    model = network(width=64, pyramid=None)  # up to 2,359,296 entries
    stepper(model, Kept()).step(losses_of(model))
    assert taken == []


@pytest.mark.parametrize(("bound", "tasks"), [("FEATURES", 1), ("ALL_FEATURES", len(TASKS))])
def test_not_with_large_features(bound: str, tasks: int, taken: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    for more in (1, 0):
        monkeypatch.setattr(together, bound, tasks * 3 * 8 * 12 * 16 + more)
        stepper(model, Kept()).step(losses_of(model))
    assert taken == [True, False]


def test_not_with_one_sample_nor_in_search_of_anomalies(taken: list[bool]) -> None:
    model = network()
    ours = stepper(model, Kept())
    ours.step(losses_of(model, batch=1))
    with pytest.warns(UserWarning, match="Anomaly Detection"), torch.autograd.detect_anomaly():
        ours.step(losses_of(model))
    assert taken == [False, False]


def test_what_cannot_bear_it_is_one_sentence() -> None:
    model = network()

    def bend(module: nn.Module, args: object, output: Tensor) -> None:
        output.register_hook(lambda g: g * g.norm().item())

    list(model.encoder.modules())[-1].register_forward_hook(bend)
    with pytest.raises(BenchError, match="leave sweeps_together=True out"):
        stepper(model, Kept()).step(losses_of(model))


def test_a_frozen_layer_and_a_head_that_reads_nothing(taken: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []
    for least in (together.TASKS, NEVER):
        monkeypatch.setattr(together, "TASKS", least)
        model = network()
        next(iter(model.encoder.parameters())).requires_grad_(False)
        bias = nn.Parameter(torch.zeros(()))
        model.heads["edges"].register_parameter("apart", bias)
        method, plain = Kept(), losses_of(model)
        ours = stepper(model, method)

        def losses(plain: Callable[[], list[Tensor]] = plain, bias: Tensor = bias) -> list[Tensor]:
            found = plain()
            found[2] = (bias - 1).square()
            return found

        ours.step(losses)
        assert not method.rows[0][2].any()
        ended.append([*method.rows, *(value.clone() for value in model.state_dict().values())])
    assert taken == [True, False]
    assert all(torch.equal(one, other) for one, other in zip(*ended, strict=True))
