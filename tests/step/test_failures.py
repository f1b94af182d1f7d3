"""Steps that are not finite: skipped without a trace, and counted."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.failures import FailureCount, is_finite
from mtl_bench.training.machine import Machine
from tests.step.toys import OneTensor, TaskNorms, differing, everything, make_batch, make_machine, make_step

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "fused adam": lambda p: torch.optim.Adam(p, lr=0.01, fused=True),
    "fused adamw": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True, fused=True),
    "fused sgd": lambda p: torch.optim.SGD(p, lr=0.01, fused=True),
    "fused momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1, fused=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
}


# who skips: the fused kernel, as on a GPU, or the host that reads whether the step is finite
WAYS = [(name, on_device) for name in OPTIMIZERS for on_device in ([True, False] if "fused" in name else [False])]


def built(way: tuple[str, bool], *model: Callable[[], MultiTaskModel], **options: Any) -> Machine:
    machine = make_machine(*(model or (OneTensor,)), OPTIMIZERS[way[0]], **options)
    machine.mover.skips_on_device = way[1]
    return machine


def good(machine: Machine, seed: int) -> None:
    step = make_step(machine, make_batch(seed=seed))
    step.backward(step.losses(), torch.ones(3))
    step.apply()


def bad(machine: Machine, how: str) -> None:
    batch = make_batch(seed=9)
    if how == "loss":  # of a task whose gradient is not asked for: every gradient is finite
        batch.targets["pose"] = torch.full_like(batch.targets["pose"], 1e200, dtype=torch.float64)  # its square is inf
        step = make_step(machine, batch)
        losses = step.losses(grad=[0, 2])
        assert losses.values.isfinite().tolist() == [True, False, True]
        step.backward(losses, torch.ones(3))
        assert all(p.grad is None or p.grad.isfinite().all() for p in machine.mover.parameters)
    elif how == "weight":
        step = make_step(machine, batch)
        step.backward(step.losses(), torch.tensor([1.0, torch.nan, 1.0]))
    else:
        step = make_step(machine, batch)
        step.backward(step.losses(), torch.ones(3))
        last = machine.mover.parameters[-1]
        assert last.grad is not None
        last.grad[0] = float(how)
    step.apply()


def moved(machine: Machine, before: dict[str, Any]) -> set[str]:
    """What changed beside norm statistics and random streams, which a forward moves."""
    buffers = {f"model.{name}" for name, _ in machine.model.named_buffers()}
    return set(differing(before, everything(machine))) - buffers - {"random", "norms"}


@pytest.mark.parametrize("how", ["loss", "weight", "nan", "inf"])
@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("way", WAYS)
def test_a_step_that_is_not_finite_moves_nothing(way: tuple[str, bool], clip_norm: float | None, how: str) -> None:
    machine = built(way, clip_norm=clip_norm)
    good(machine, seed=0)
    before = everything(machine)
    bad(machine, how)
    assert not moved(machine, before)
    assert all(p.grad is None for p in machine.mover.parameters)
    assert machine.ledger.failures.totals.tolist() == [1, 1]


@pytest.mark.parametrize("way", WAYS)
def test_a_bad_first_step_leaves_training_as_if_it_had_not_been(way: tuple[str, bool]) -> None:
    """torch's fused SGD would go on from an uninitialised momentum."""
    machine, plain = (built(way, TaskNorms) for _ in range(2))
    machine.model.eval()
    plain.model.eval()
    bad(machine, "nan")
    for seed in range(3):
        good(machine, seed)
        good(plain, seed)
    assert not moved(machine, everything(plain))


@pytest.mark.parametrize("only", ["all", "shared"])
def test_the_sgd_rule_skips_too(only: str) -> None:
    machine = make_machine()
    before = everything(machine)
    step = make_step(machine)
    step.backward(step.losses(), torch.tensor([1.0, torch.nan, 1.0]))
    step.apply(only=only, rule="sgd")  # type: ignore[arg-type]
    assert not moved(machine, before)
    assert machine.ledger.failures.totals.tolist() == [1, 1]


def test_skipped_steps_are_counted_and_a_good_one_ends_the_row() -> None:
    machine = make_machine()
    for how in ("nan", "inf"):
        bad(machine, how)
    assert machine.ledger.failures.totals.tolist() == [2, 2]
    good(machine, seed=0)
    assert machine.ledger.failures.totals.tolist() == [2, 0]
    bad(machine, "nan")
    assert machine.ledger.failures.totals.tolist() == [3, 1]
    assert machine.ledger.counts.optimizer_steps == 4


def test_a_lookahead_that_is_not_finite_does_not_spoil_the_next_batch() -> None:
    machine = make_machine()
    good(machine, seed=0)
    batch = make_batch()
    batch.targets["pose"] = torch.full_like(batch.targets["pose"], 1e200, dtype=torch.float64)
    assert not make_step(machine, batch).losses(grad=False).values.isfinite().all()
    good(machine, seed=1)
    assert machine.ledger.failures.totals.tolist() == [0, 0]


@pytest.mark.parametrize("model", [OneTensor, TaskNorms])
def test_a_gramian_that_is_not_finite_ends_in_a_skipped_step(model: type[MultiTaskModel]) -> None:
    machine = make_machine(model)
    good(machine, seed=0)
    before = everything(machine)
    step = make_step(machine, make_batch(seed=1))
    gradients = step.gradients(step.losses(), weights=torch.tensor([1.0, torch.inf, 1.0]))
    assert not gradients.gramian().isfinite().all()
    gradients.combine(torch.full((3,), torch.nan, dtype=torch.float64))
    step.apply()
    assert not moved(machine, before)
    assert machine.ledger.failures.totals.tolist() == [1, 1]


def test_finite_is_every_entry() -> None:
    assert is_finite([torch.tensor(1e38), torch.tensor([3e38, 3e38])])
    for value in (torch.inf, -torch.inf, torch.nan):
        assert not is_finite([torch.tensor(1.0), torch.tensor([0.0, value])])
    assert not is_finite([torch.tensor(torch.inf), torch.tensor(-torch.inf)])


def test_a_count_can_be_copied_while_it_grows() -> None:
    count = FailureCount(torch.device("cpu"))
    count.add(torch.tensor(False))
    earlier = copy.copy(count.totals)
    count.add(torch.tensor(False))
    assert earlier.tolist() == [1, 1]
    assert count.totals.tolist() == [2, 2]
