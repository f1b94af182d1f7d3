"""One sweep for all tasks: to the last bit what one after another gives, and only where the model bears it."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods import MGDA, GradientAggregation, PCGrad
from mtl_bench.methods.interface import TaskGradients
from mtl_bench.models import DenseResNet
from mtl_bench.step import Stepper
from mtl_bench.step.engines import together

TASKS = ("depth", "normals", "edges", "classes")


@dataclass(kw_only=True, eq=False)
class Kept(GradientAggregation):
    rows: list[Tensor] = field(default_factory=list)

    def direction(self, gradients: TaskGradients, *, generator: torch.Generator) -> Tensor:
        self.rows.append(gradients.matrix().clone())
        return self.rows[-1].sum(0)


class Sub(DenseResNet):
    pass


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def network(kind: type[DenseResNet] = DenseResNet, tasks: Sequence[str] = TASKS, **options: object) -> DenseResNet:
    torch.manual_seed(0)
    given = {"width": 4, "pyramid": 8, "output_stride": 8} | options
    return kind(dict.fromkeys(tasks, 2), (3, 24, 32), **given)  # type: ignore[arg-type]


def losses_of(model: DenseResNet, seed: int = 0, batch: int = 3) -> Callable[[], list[Tensor]]:
    dtype = next(model.parameters()).dtype
    image = torch.randn(batch, 3, 24, 32, generator=torch.Generator().manual_seed(seed)).to(dtype)

    def losses() -> list[Tensor]:
        features = model.encode(image)
        return [(model.decode(features, k) - k).square().mean() for k in range(len(model.tasks))]  # type: ignore[operator]

    return losses


def stepper(model: DenseResNet, method: object) -> Stepper:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    shared, heads = (
        model.shared_parameters().values(),
        [model.task_parameters(k).values() for k in range(len(model.tasks))],
    )
    features = [] if model.per_task_path else [model.encoder]
    return Stepper(method, optimizer=optimizer, shared=shared, heads=heads, model=model, features=features)  # type: ignore[arg-type]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For every batch, whether one sweep served it."""
    found: list[bool] = []
    pays = together.Together.pays

    def told(self: together.Together, *asked: object) -> bool:
        found.append(pays(self, *asked))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(together.Together, "pays", told)
    return found


VARIANTS = {
    "as in rooms": {},
    "no pyramid": {"pyramid": None},
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
    for least in (together.TASKS, 100):
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
    for least in (together.TASKS, 100):
        monkeypatch.setattr(together, "TASKS", least)
        model = network()
        ours = stepper(model, method())
        with torch.autocast("cpu", torch.bfloat16):
            for seed in range(3):
                ours.step(losses_of(model, seed))
        ended.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert taken == [*3 * [True], *3 * [False]]
    assert torch.equal(*ended)


def hooked(model: DenseResNet) -> None:
    next(iter(model.shared_parameters().values())).register_hook(lambda g: None)


def hooked_module(model: DenseResNet) -> None:
    list(model.encoder.modules())[-1].register_full_backward_hook(lambda *_: None)


def foreign(model: DenseResNet) -> None:
    model.encoder = nn.Sequential(model.encoder, Doubled())


def compiled(model: DenseResNet) -> None:
    model.encoder._compiled_call_impl = model.encoder._call_impl


def hooked_inside(model: DenseResNet) -> None:
    list(model.encoder.modules())[-1].register_forward_hook(lambda *_: None)


@pytest.mark.parametrize("change", [hooked, hooked_module, hooked_inside, foreign, compiled])
def test_not_with_hooks_or_layers_that_nobody_knows(change: Callable[[DenseResNet], None], taken: list[bool]) -> None:
    model = network()
    change(model)
    stepper(model, Kept()).step(losses_of(model))
    assert taken == [False]


@pytest.mark.parametrize(
    "model",
    [
        lambda: network(Sub),  # might do anything
        lambda: network(tasks=TASKS[:2]),
        lambda: network(width=64, pyramid=None),  # weights of 2,359,296 entries
    ],
)
def test_not_where_it_costs_or_nobody_says(model: Callable[[], DenseResNet], taken: list[bool]) -> None:
    made = model()
    stepper(made, Kept()).step(losses_of(made))
    assert taken == [False]


def test_not_where_more_than_the_model_is_shared(taken: list[bool]) -> None:
    model = network()
    before = nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([*model.parameters(), before], lr=0.1)
    shared = [before, *model.shared_parameters().values()]
    heads = [model.task_parameters(k).values() for k in range(len(TASKS))]
    ours = Stepper(Kept(), optimizer=optimizer, shared=shared, heads=heads, model=model, features=[model.encoder])
    image = torch.randn(3, 3, 24, 32)
    ours.step(lambda: [model.heads[task](*model.encode(before * image)).square().mean() for task in TASKS])
    assert taken == [False]


def test_not_with_large_features(taken: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    monkeypatch.setattr(together, "FEATURES", 3 * 8 * 12 * 16)
    stepper(model, Kept()).step(losses_of(model))
    assert taken == [False]


def test_one_path_per_task_is_never_one_sweep(taken: list[bool]) -> None:
    model, image = network(task_norm=True), torch.randn(3, 3, 24, 32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    heads = [model.task_parameters(k).values() for k in range(len(TASKS))]
    shared = model.shared_parameters().values()
    ours = Stepper(Kept(), optimizer=optimizer, shared=shared, heads=heads, model=model, per_task_path=True)
    ours.step(lambda k: model.decode(model.encode(image, k), k).square().mean())  # type: ignore[operator, union-attr]
    assert taken == [False]


def test_a_model_that_says_so_and_cannot_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    monkeypatch.setattr(together.Together, "_hooked", lambda self: False)

    def bend(module: nn.Module, args: object, output: Tensor) -> None:
        output.register_hook(lambda g: g * g.norm().item())

    list(model.encoder.modules())[-1].register_forward_hook(bend)
    with pytest.raises(BenchError, match="take `sweeps_together = True` out of the model's class"):
        stepper(model, Kept()).step(losses_of(model))


def test_a_frozen_layer_and_a_head_that_reads_nothing(taken: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []
    for least in (together.TASKS, 100):
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
        ended.append([*method.rows, *copy.deepcopy(model.state_dict()).values()])
    assert taken == [True, False]
    assert all(torch.equal(one, other) for one, other in zip(*ended, strict=True))
