"""What CUDA itself says about waiting."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
import torch

from mtl_bench.data.split import Batch
from mtl_bench.methods.base import Method
from mtl_bench.methods.cso import CSO
from mtl_bench.methods.dwa import DynamicWeightAverage
from mtl_bench.methods.famo import FAMO
from mtl_bench.methods.graddrop import GradDrop
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.mgda import MGDA
from mtl_bench.methods.pcgrad import PCGrad
from mtl_bench.methods.rlw import RandomLossWeighting
from mtl_bench.methods.stgu import STGU
from mtl_bench.methods.tag import TAG
from mtl_bench.methods.uw import UncertaintyWeighting
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.epoch_means import EpochMeans
from mtl_bench.training.monitor import Monitor
from tests.step.toys import OneTensor, TaskNorms, make_batch, make_context, make_machine, make_step

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@contextmanager
def sync_debug(mode: str) -> Iterator[None]:
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def warmed_up(build: Callable[[], Method], model: type[MultiTaskModel]) -> Callable[[Batch], None]:
    """One batch as the trainer runs it, after the first ones (kernels loaded, state allocated)."""
    machine = make_machine(model, dtype=torch.float32, device="cuda", clip_norm=1.0)
    method = build()
    method.setup(make_context(machine))
    means, monitor = EpochMeans(3), Monitor(machine.device)

    def run(batch: Batch) -> None:
        method.update(make_step(machine, batch))
        losses = machine.ledger.batch_losses()
        means.add(losses)
        monitor.push(machine.ledger.counts.batches, losses, machine.ledger.failures.totals)
        monitor.latest()

    for absent in ([], ["pose"]):
        run(make_batch(unlabelled=absent, device="cuda"))
    return run


@pytest.mark.parametrize("absent", [[], ["pose"]])
@pytest.mark.parametrize("model", [OneTensor, TaskNorms])
@pytest.mark.parametrize(
    "build", [LinearScalarization, UncertaintyWeighting, DynamicWeightAverage, RandomLossWeighting, FAMO]
)
def test_a_loss_weighting_never_waits(
    build: Callable[[], Method], model: type[MultiTaskModel], absent: list[str]
) -> None:
    run = warmed_up(build, model)
    batches = [make_batch(seed=seed, unlabelled=absent, device="cuda") for seed in (1, 2)]
    with sync_debug("error"):
        for batch in batches:
            run(batch)


@pytest.mark.parametrize("absent", [[], ["pose"]])
@pytest.mark.parametrize("phase", [1, 2])
def test_cso_never_waits(phase: Literal[1, 2], absent: list[str]) -> None:
    run = warmed_up(lambda: CSO(phase=phase), TaskNorms)
    batch = make_batch(seed=1, unlabelled=absent, device="cuda")
    with sync_debug("error"):
        run(batch)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (MGDA, 1),
        (PCGrad, 1),
        (GradDrop, 0),
        (lambda: STGU(warmup=100), 3),  # one copy of the losses per visit, three visits in the warm-up
        (lambda: TAG(period=1, measure="first_order"), 1),
    ],
)
def test_a_method_waits_for_what_it_must_read_only(build: Callable[[], Method], expected: int) -> None:
    run = warmed_up(build, OneTensor)
    batch = make_batch(seed=1, device="cuda")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with sync_debug("warn"):
            run(batch)
    waits = [str(warning.message) for warning in caught if "synchronizing CUDA operation" in str(warning.message)]
    assert len(waits) == expected, waits
