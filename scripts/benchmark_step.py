"""Cost of a step against hand-written PyTorch: `python scripts/benchmark_step.py`.

Four ratios, each from interleaved blocks in one process (median of block ratios, one thread):
`ls` through the trainer over a plain loop on the same batches with the same optimizer, and `pcgrad` with flat rows over
the K-backward cost (forward once, each head backward once, K encoder backwards, results dropped), and `stgu` in its
warm-up (one visit per task) over as many plain steps: all losses forward, one of them backward, optimizer step. And a
step of `pcgrad` in a loop of one's own, through `Stepper`, over the trainer's.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.cost.rounds import ratio, timed
from mtl_bench.data.split import Batch
from mtl_bench.job import compose_plan
from mtl_bench.methods import PCGrad
from mtl_bench.models.convolutional import EncoderModel
from mtl_bench.step import Stepper
from mtl_bench.training.assemble import Place, assemble
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.progress import ProgressBar
from mtl_bench.training.trainer import Options, Trainer


def trainer(experiment: str, method: Sequence[str], folder: Path, data: Path, device: str) -> Trainer:
    overrides = [f"experiment={experiment}", *method, "protocol.training.budget.amount=1000"]
    plan = compose_plan(overrides, data)
    plan.folder(folder).create()
    built = assemble(plan, Place(folder, device=device), Options(progress=False), NoLogger())
    built.machine.model.train()
    return built


def through_the_trainer(built: Trainer) -> Callable[[], None]:
    bar = ProgressBar("", shown=False)
    return lambda: built._batch(bar)


def through_a_stepper(built: Trainer) -> Callable[[], None]:
    """PCGrad in a loop of one's own: batch, losses in a closure, the schedule."""
    machine, batches = built.machine, endless(built)
    model = machine.model
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10**6)
    stepper = Stepper(
        PCGrad(),
        shared=machine.shared.values(),
        heads=list(machine.owned.values()),
        optimizer=optimizer,
        model=model,
        features=[model.encoder] if isinstance(model, EncoderModel) else [],
    )

    def step() -> None:
        batch = next(batches)
        stepper.step(lambda: losses(built, model.encode(batch.image), batch))
        schedule.step()

    return step


def plain_loop(built: Trainer) -> Callable[[], None]:
    """What a researcher writes: batch, summed cross-entropies, backward, step, scheduler."""
    model, batches = built.machine.model, endless(built)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10**6)

    def step() -> None:
        batch = next(batches)
        loss = sum(losses(built, model.encode(batch.image), batch))
        assert isinstance(loss, Tensor)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    return step


def k_backward(built: Trainer) -> Callable[[], None]:
    """Forward once, each head backward once, K encoder backwards; nothing kept."""
    model, batches = built.machine.model, endless(built)
    shared, owned = list(built.machine.shared.values()), built.machine.owned

    def step() -> None:
        batch = next(batches)
        features = model.encode(batch.image)
        taps = [feature.view_as(feature) for feature in features]
        each = losses(built, taps, batch)
        for k, loss in enumerate(each):
            gradients = torch.autograd.grad(loss, [*taps, *owned[k]])[: len(taps)]
            torch.autograd.grad(features, shared, gradients, retain_graph=k + 1 < len(each))

    return step


def visits(built: Trainer) -> Callable[[], None]:
    """One step per task on the same batch, each with the forward of all tasks, and nothing measured."""
    model, batches = built.machine.model, endless(built)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)

    def step() -> None:
        batch = next(batches)
        for visited in range(len(built.machine.names)):
            each = losses(built, model.encode(batch.image), batch)
            optimizer.zero_grad()
            each[visited].backward()
            optimizer.step()

    return step


def endless(built: Trainer) -> Iterator[Batch]:
    """The batches that the trainer would take, epoch after epoch."""
    split, batches = built.feed.split, built.feed.batches
    for epoch in count():
        for number in range(batches.per_epoch):
            yield split.batch(batches.indices(epoch, number))


def losses(built: Trainer, features: list[Tensor], batch: Batch) -> list[Tensor]:
    found = []
    for k, name in enumerate(built.machine.names):
        output = built.machine.model.decode(features, k)
        assert isinstance(output, Tensor)  # LeNet has no deep supervision
        found.append(F.cross_entropy(output, batch.targets[name]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="multimnist")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--blocks", type=int, default=21)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for method, reference, name, bar in (
            (["method=ls"], plain_loop, "hand-written loop", 1.05),
            (["method=pcgrad"], k_backward, "K-backward cost", 1.15),
            (["method=stgu", "method.warmup=1000000"], visits, "one plain step per task", 1.05),
            (["method=pcgrad"], through_the_trainer, "the trainer", 1.02),
        ):
            built = trainer(arguments.experiment, method, Path(folder), arguments.data, arguments.device)
            ours = through_a_stepper if reference is through_the_trainer else through_the_trainer
            steps = {"mine": ours(built), "theirs": reference(built)}
            mine, theirs = timed(steps, arguments.blocks, warmup=1, calls=arguments.steps).values()
            found = ratio(mine, theirs)
            shown = [1000 * statistics.median(kept) for kept in (mine, theirs)]
            label = method[0].removeprefix("method=") + (" in a loop" if ours is through_a_stepper else "")
            print(f"{label:16s} {shown[0]:7.2f} ms   {name:23s} {shown[1]:7.2f} ms   ratio {found:.3f} (at most {bar})")


if __name__ == "__main__":
    main()
