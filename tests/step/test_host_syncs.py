"""A step of a loss weighting reads nothing off the device; a Gramian method copies once.

On a CPU nothing waits, so operations that would make a GPU wait are refused here by name, and steps are skipped in the
GPU's way; tests/gpu asks CUDA itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mtl_bench.methods.base import Method
from mtl_bench.methods.db_mtl import DBMTL
from mtl_bench.methods.dtp import DynamicTaskPrioritization
from mtl_bench.methods.dwa import DynamicWeightAverage
from mtl_bench.methods.excess_mtl import ExcessMTL
from mtl_bench.methods.famo import FAMO
from mtl_bench.methods.gls import GeometricLoss
from mtl_bench.methods.graddrop import GradDrop
from mtl_bench.methods.gradnorm import GradNorm
from mtl_bench.methods.imtl_l import IMTLL
from mtl_bench.methods.learned_priority import LearnedPriority
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.mgda import MGDA
from mtl_bench.methods.moco import MoCo
from mtl_bench.methods.pcgrad import PCGrad
from mtl_bench.methods.repeated import Repeated
from mtl_bench.methods.rlw import RandomLossWeighting
from mtl_bench.methods.si import ScaleInvariant
from mtl_bench.methods.stch import STCH
from mtl_bench.methods.uw import UncertaintyWeighting
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.epoch_means import EpochMeans
from mtl_bench.training.machine import Machine
from tests.step.toys import OneTensor, TaskNorms, adam, make_batch, make_context, make_machine, make_step, sgd

READERS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_unique2", "unique_dim"}
SENDERS = {"lift_fresh"}  # torch.tensor(1.0, device="cuda") copies the number from the host and waits for the copy
READS = ("cpu", "item", "tolist", "numpy", "__bool__", "__float__", "__int__", "__array__")
LOSS_WEIGHTINGS: list[Callable[[], Method]] = [
    LinearScalarization,
    UncertaintyWeighting,
    DynamicWeightAverage,
    RandomLossWeighting,
    lambda: DynamicWeightAverage(window=1),
    DynamicTaskPrioritization,
    GeometricLoss,
    IMTLL,
    ScaleInvariant,
    lambda: STCH(warmup=0),
    FAMO,
    Repeated,
]


class Waits(TorchDispatchMode):
    """Raises where a GPU would make the host wait."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        masks = name in ("index", "index_put", "index_put_", "_index_put_impl_") and any(
            isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        )
        if name in READERS | SENDERS or masks:
            raise AssertionError(f"aten::{name} makes the host wait")
        return function(*args, **(kwargs or {}))


@contextmanager
def counted_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, tuple[int, ...]]]]:
    """(method, shape) of every tensor that Python reads."""
    reads: list[tuple[str, tuple[int, ...]]] = []

    def watch(name: str) -> Callable[..., Any]:
        original = getattr(Tensor, name)

        def watched(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            reads.append((name, tuple(tensor.shape)))
            return original(tensor, *args, **kwargs)

        return watched

    with monkeypatch.context() as patch:
        for name in READS:
            patch.setattr(Tensor, name, watch(name))
        yield reads


def run(machine: Machine, method: Method, means: EpochMeans, seed: int, absent: list[str]) -> None:
    method.update(make_step(machine, make_batch(seed=seed, unlabelled=absent)))
    losses = machine.ledger.batch_losses()
    means.add(losses)


@pytest.mark.parametrize("absent", [[], ["pose"]])
@pytest.mark.parametrize("optimizer", [adam, sgd])
@pytest.mark.parametrize("model", [OneTensor, TaskNorms])
@pytest.mark.parametrize("build", LOSS_WEIGHTINGS)
def test_a_loss_weighting_reads_nothing(
    build: Callable[[], Method],
    model: type[MultiTaskModel],
    optimizer: Any,
    absent: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = make_machine(model, optimizer, torch.float32, clip_norm=1.0)
    machine.mover.skips_on_device = True
    method = build()
    method.setup(make_context(machine))
    means = EpochMeans(3)
    run(machine, method, means, 0, [])
    with counted_reads(monkeypatch) as reads, Waits():
        for seed in (1, 2):
            run(machine, method, means, seed, absent)
    assert not reads
    assert machine.ledger.counts.optimizer_steps in (3, 6)  # Repeated takes two per batch


@pytest.mark.parametrize("weighting", [None, UncertaintyWeighting])
@pytest.mark.parametrize("build", [MGDA, PCGrad])
def test_a_gramian_method_makes_one_packed_copy(
    build: Callable[..., Method], weighting: Callable[[], Method] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = make_machine(dtype=torch.float32)
    method = build(weighting=weighting() if weighting else None)
    method.setup(make_context(machine))
    means = EpochMeans(3)
    run(machine, method, means, 0, [])
    with counted_reads(monkeypatch) as reads:
        run(machine, method, means, 1, [])
    assert [shape for name, shape in reads if name == "cpu"] == [(12,)]  # Gramian and losses
    assert all(len(shape) == 0 or max(shape) <= 12 for _, shape in reads)  # the rest happens on the host, in size K


@pytest.mark.parametrize("build", [GradDrop, MoCo, ExcessMTL, DBMTL, GradNorm, LearnedPriority])
def test_a_direction_method_reads_nothing(build: Callable[[], Method], monkeypatch: pytest.MonkeyPatch) -> None:
    machine = make_machine(dtype=torch.float32, held_out=lambda number: make_batch(seed=9))
    machine.mover.skips_on_device = True
    method = build()
    method.setup(make_context(machine))
    means = EpochMeans(3)
    with counted_reads(monkeypatch) as reads, Waits():
        run(machine, method, means, 1, [])
    assert not reads


def test_an_epoch_of_means_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    means = EpochMeans(3)
    for _ in range(5):
        means.add(torch.ones(3))
    with counted_reads(monkeypatch) as reads:
        means.close()
    assert reads == [("cpu", (5, 3)), ("numpy", (5, 3))]  # the second of the copy on the host


def test_a_plain_optimizer_costs_one_read_per_step(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = make_machine(optimizer=lambda p: torch.optim.RMSprop(p, lr=0.01), dtype=torch.float32)
    step = make_step(machine)
    step.backward(step.losses(), torch.ones(3))
    with counted_reads(monkeypatch) as reads:
        step.apply()
    assert [shape for name, shape in reads if name in ("__bool__", "cpu")] == [()]


def test_the_watch_sees_what_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.tensor([1.0, -1.0])
    reads_of: list[Callable[[], object]] = [
        lambda: values.sum().item(),
        lambda: values[values > 0],
        lambda: values.nonzero(),
        lambda: bool(values[0]),
        lambda: torch.tensor(1.0),
    ]
    for read in reads_of:
        with Waits(), pytest.raises(AssertionError, match="makes the host wait"):
            read()
    with counted_reads(monkeypatch) as reads:
        values.tolist()
    assert reads == [("tolist", (2,))]
