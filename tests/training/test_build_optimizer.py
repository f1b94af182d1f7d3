"""Which optimizers run fused."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.training.build import build_optimizer
from tests.step.toys import OneTensor, TaskNorms


def built(factory: Callable[..., Any], head_lr_factor: float = 1.0) -> torch.optim.Optimizer:
    training: Any = SimpleNamespace(optimizer=factory, head_lr_factor=head_lr_factor)
    return build_optimizer(training, OneTensor())


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_fused_where_the_kernel_can_skip_a_step(kind: type[torch.optim.Optimizer]) -> None:
    assert built(partial(kind, lr=0.1)).defaults["fused"]


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        (torch.optim.Adam, {"fused": None}),
        (torch.optim.AdamW, {"foreach": None, "differentiable": False}),
        (torch.optim.SGD, {"momentum": 0.9, "dampening": 0.0}),
    ],
)
def test_a_default_that_is_written_out_is_the_same_run(
    kind: type[torch.optim.Optimizer], default: dict[str, Any]
) -> None:
    assert built(partial(kind, lr=0.1, **default)).defaults["fused"]


@pytest.mark.parametrize(
    "factory",
    [
        partial(torch.optim.RMSprop, lr=0.1),
        partial(torch.optim.Adagrad, lr=0.1),  # fused on the CPU only
        partial(torch.optim.SGD, lr=0.1, momentum=0.9, dampening=0.5),  # a fused momentum starts at 0
        partial(torch.optim.Adam, lr=0.1, fused=False),
        partial(torch.optim.Adam, lr=0.1, foreach=True),
    ],
)
def test_plain_elsewhere(factory: Callable[..., Any]) -> None:
    assert not built(factory).defaults.get("fused")


def test_every_parameter_once_and_heads_at_their_own_rate() -> None:
    training: Any = SimpleNamespace(optimizer=partial(torch.optim.Adam, lr=0.1), head_lr_factor=2.0)
    model = TaskNorms()
    shared, heads = build_optimizer(training, model).param_groups
    assert (shared["lr"], heads["lr"]) == (0.1, 0.2)
    assert {id(p) for p in shared["params"]} == {id(p) for p in model.shared_parameters().values()}
    assert len(shared["params"]) + len(heads["params"]) == len(list(model.parameters()))


def test_forms_that_exclude_each_other_are_refused_in_one_sentence() -> None:
    with pytest.raises(BenchError, match=r"protocol\.training\.optimizer cannot be built: .*fused.*foreach"):
        built(partial(torch.optim.Adam, lr=0.1, foreach=True, fused=True))


class Sharpness(torch.optim.SGD):
    """Asks for a closure, as optimizers with two forwards per step do."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        assert closure is not None, "give a closure"


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        (partial(torch.optim.SparseAdam, lr=0.1), "does not support dense gradients"),
        (partial(torch.optim.SGD, lr=0.1, differentiable=True), "in-place operation"),
        (partial(torch.optim.Adam, lr=0.1, capturable=True, fused=False), "capturable=True"),
        (partial(Sharpness, lr=0.1), "give a closure"),
    ],
)
def test_an_optimizer_that_cannot_take_given_gradients_is_refused(factory: Callable[..., Any], said: str) -> None:
    with pytest.raises(BenchError, match=rf"protocol\.training\.optimizer cannot step .*{said}.*AdamW"):
        built(factory)


def test_the_step_that_is_tried_moves_nothing() -> None:
    model, random = OneTensor(), torch.get_rng_state()
    before = [parameter.clone() for parameter in model.parameters()]
    training: Any = SimpleNamespace(optimizer=partial(torch.optim.Adam, lr=0.1), head_lr_factor=1.0)
    optimizer = build_optimizer(training, model)
    assert not optimizer.state
    assert all(torch.equal(one, old) for one, old in zip(model.parameters(), before, strict=True))
    assert torch.equal(torch.get_rng_state(), random)
