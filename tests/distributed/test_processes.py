"""Two processes, each with half of every batch, end where one with whole batches does (gloo, float64, SGD)."""

from collections.abc import Callable

import pytest
import torch

# Its functions take the group of the day as their default: imported later, as the first optimizer does, they would
# keep the processes' group beyond its end, and its threads can abort a process that is leaving.
import torch.distributed.nn
from torch import Tensor, distributed, multiprocessing, nn

from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.methods import (
    FAMO,
    MGDA,
    STGU,
    TAG,
    GradDrop,
    LearnedPriority,
    LinearScalarization,
    Method,
    PCGrad,
    UncertaintyWeighting,
)
from mtl_bench.step import Stepper
from mtl_bench.step.reduce import Processes, Reduce
from tests.methods.toys import toy

STEPS = 20
METHODS: dict[str, Callable[[], Method]] = {
    "ls": LinearScalarization,
    "uw": UncertaintyWeighting,
    "pcgrad": PCGrad,
    "stgu": lambda: STGU(warmup=5, decay=0.2, preference=0.1),  # the median ties, and last bits would decide
    "famo": FAMO,
    "mgda": MGDA,
    "learned_priority": LearnedPriority,
}


def trained(name: str, rank: int | None, reduce: Reduce | None) -> tuple[Tensor, Tensor]:
    """Parameters and the losses of each batch; `rank` takes its half of every batch, None all of it."""
    problem = toy("sgd", torch.float64, reduce=reduce, absent=None)
    method = METHODS[name]()
    method.setup(problem.context)
    losses = []
    for n in range(STEPS):
        batch = problem.batches[n % 4]
        problem.batches[n % 4] = batch if rank is None else half(batch, rank)
        method.update(problem.step(n))
        problem.batches[n % 4] = batch
        losses.append(problem.machine.ledger.batch_losses())
    return problem.parameters, torch.stack(losses)


def half(batch: Batch, rank: int) -> Batch:
    """Of uneven sizes, so that a mean of means would be wrong."""
    chosen = slice(0, 5) if rank == 0 else slice(5, None)
    return Batch(batch.image[chosen], {name: target[chosen] for name, target in batch.targets.items()}, None)


def in_one_of_two(rank: int, folder: str) -> None:
    distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.set_num_threads(1)
    found = {name: trained(name, rank, Processes()) for name in METHODS}
    torch.save((found, refusals(), looped(rank)), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def refusals() -> list[str]:
    """What several processes cannot do yet, in one sentence each, before anything moves."""
    said = []
    for method in (GradDrop(), TAG(measure="lookahead")):
        problem = toy("sgd", torch.float64, reduce=Processes())
        before = problem.parameters
        method.setup(problem.context)
        try:
            method.update(problem.step(0))
        except BenchError as error:
            said.append(str(error))
        assert torch.equal(problem.parameters, before)
    return said


def looped(rank: int | None) -> Tensor:
    """The same through somebody's loop, whose losses are means over equal parts."""
    draw = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Linear(4, 3).double()
        heads = nn.ModuleList(nn.Linear(3, 1) for _ in range(2)).double()
    optimizer = torch.optim.SGD([*model.parameters(), *heads.parameters()], lr=0.1)
    stepper = Stepper(PCGrad(), shared=model, heads=[*heads], optimizer=optimizer)
    for _ in range(STEPS):
        image, target = (torch.randn(8, n, generator=draw, dtype=torch.float64) for n in (4, 2))
        if rank is not None:
            image, target = image[4 * rank : 4 * rank + 4], target[4 * rank : 4 * rank + 4]

        def losses(image: Tensor = image, target: Tensor = target) -> list[Tensor]:
            z = model(image).tanh()
            return [(head(z)[:, 0] - target[:, k]).square().mean() for k, head in enumerate(heads)]

        stepper.step(losses)
    return torch.cat([p.detach().flatten() for p in [*model.parameters(), *heads.parameters()]])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, tuple[Tensor, Tensor]], list[str], Tensor]]:
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(in_one_of_two, (str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", METHODS)
def test_two_processes_are_one(name: str, both: list) -> None:
    parameters, losses = trained(name, None, None)
    moved = (parameters - toy("sgd", torch.float64).parameters).norm()
    assert moved > 0.01
    for found, _, _ in both:
        assert (found[name][0] - parameters).norm() <= 1e-9 * parameters.norm()
        torch.testing.assert_close(found[name][1], losses, rtol=1e-9, atol=0)
    assert torch.equal(both[0][0][name][0], both[1][0][name][0])


def test_a_loop_in_two_processes_is_one(both: list) -> None:
    for _, _, found in both:
        torch.testing.assert_close(found, looped(None), rtol=1e-9, atol=1e-12)


def test_what_they_cannot_do_yet_is_one_sentence(both: list) -> None:
    for _, said, _ in both:
        assert said == [
            "A gradient at the features works in one process only so far; use one, or another method.",
            "A step on trial works in one process only so far; use one, or another method.",
        ]


def test_processes_need_a_group() -> None:
    with pytest.raises(BenchError, match="init_process_group"):
        Processes()
