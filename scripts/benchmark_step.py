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
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.nn import functional as F

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
    machine, split, batches = built.machine, built.feed.split, built.feed.batches
    model, names = machine.model, machine.names
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10**6)
    features = [model.encoder] if isinstance(model, EncoderModel) else []
    stepper = Stepper(
        PCGrad(),
        shared=machine.shared.values(),
        heads=[machine.owned[k] for k in range(len(names))],
        optimizer=optimizer,
        model=model,
        features=features,
    )
    position = 0

    def step() -> None:
        nonlocal position
        batch = split.batch(batches.indices(position // batches.per_epoch, position % batches.per_epoch))

        def losses() -> list[torch.Tensor]:
            features = model.encode(batch.image)
            return [F.cross_entropy(model.decode(features, k), batch.targets[name]) for k, name in enumerate(names)]

        stepper.step(losses)
        schedule.step()
        position += 1

    return step


def plain_loop(built: Trainer) -> Callable[[], None]:
    """What a researcher writes: batch, summed cross-entropies, backward, step, scheduler."""
    model, split, batches, names = built.machine.model, built.feed.split, built.feed.batches, built.machine.names
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10**6)
    position = 0

    def step() -> None:
        nonlocal position
        batch = split.batch(batches.indices(position // batches.per_epoch, position % batches.per_epoch))
        features = model.encode(batch.image)
        loss = sum(F.cross_entropy(model.decode(features, k), batch.targets[name]) for k, name in enumerate(names))
        assert isinstance(loss, torch.Tensor)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        position += 1

    return step


def k_backward(built: Trainer) -> Callable[[], None]:
    """Forward once, each head backward once, K encoder backwards; nothing kept."""
    model, split, batches, names = built.machine.model, built.feed.split, built.feed.batches, built.machine.names
    shared, owned = list(built.machine.shared.values()), built.machine.owned
    position = 0

    def step() -> None:
        nonlocal position
        batch = split.batch(batches.indices(position // batches.per_epoch, position % batches.per_epoch))
        features = model.encode(batch.image)
        taps = [feature.view_as(feature) for feature in features]
        losses = [F.cross_entropy(model.decode(taps, k), batch.targets[name]) for k, name in enumerate(names)]
        for k, loss in enumerate(losses):
            gradients = torch.autograd.grad(loss, [*taps, *owned[k]])[: len(taps)]
            torch.autograd.grad(features, shared, gradients, retain_graph=k + 1 < len(names))
        position += 1

    return step


def visits(built: Trainer) -> Callable[[], None]:
    """One step per task on the same batch, each with the forward of all tasks, and nothing measured."""
    model, split, batches, names = built.machine.model, built.feed.split, built.feed.batches, built.machine.names
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    position = 0

    def step() -> None:
        nonlocal position
        batch = split.batch(batches.indices(position // batches.per_epoch, position % batches.per_epoch))
        for visited in range(len(names)):
            features = model.encode(batch.image)
            losses = [F.cross_entropy(model.decode(features, k), batch.targets[name]) for k, name in enumerate(names)]
            optimizer.zero_grad()
            losses[visited].backward()
            optimizer.step()
        position += 1

    return step


def ratio(
    ours: Callable[[], None], reference: Callable[[], None], blocks: int, steps: int
) -> tuple[float, float, float]:
    """Medians over interleaved blocks: ratio, milliseconds of ours, of the reference."""
    for _ in range(steps):
        ours(), reference()
    pairs = []
    for _ in range(blocks):
        times = []
        for step in (ours, reference):
            _wait()
            started = time.perf_counter()
            for _ in range(steps):
                step()
            _wait()
            times.append((time.perf_counter() - started) / steps)
        pairs.append(times)
    return (
        statistics.median(a / b for a, b in pairs),
        1000 * statistics.median(a for a, _ in pairs),
        1000 * statistics.median(b for _, b in pairs),
    )


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


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
            found, mine, theirs = ratio(ours(built), reference(built), arguments.blocks, arguments.steps)
            label = method[0].removeprefix("method=") + (" in a loop" if ours is through_a_stepper else "")
            print(f"{label:16s} {mine:7.2f} ms   {name:23s} {theirs:7.2f} ms   ratio {found:.3f} (at most {bar})")


if __name__ == "__main__":
    main()
