"""What only shows in the middle of training, asked before its first batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mtl_bench.data.order import Batches
from mtl_bench.data.split import Batch, Split
from mtl_bench.errors import BenchError, unforeseen
from mtl_bench.step.contract import check_contract
from mtl_bench.step.ownership import Ownership
from mtl_bench.step.snapshot import BufferSnapshot
from mtl_bench.training.model_forward import ModelForward

SAMPLES = 3  # not 1 or 2: a wrong axis should not have the right length by chance


def check_reach(forward: ModelForward, owners: Ownership, split: Split) -> None:
    """Every prediction reaches only what is shared or its task's own, on a few samples; no label and no loss is asked.

    In training mode, in which gradients are taken: a model may have parts for training alone (auxiliary heads).

    Raises BenchError naming the parameter, see `check_contract`, for a model that cannot run in training mode, and
    where something that is read again is overwritten.
    """
    tasks, batch = range(len(forward.names)), split.batch(torch.arange(min(SAMPLES, split.size)))
    with untouched(forward.model, training=True), torch.enable_grad():
        try:
            _check_overwriting(forward, batch)
            found = forward.on(batch, _uneven_sum)(tasks, frozenset(tasks))
        except BenchError:
            raise
        except Exception as error:  # the user's code may raise anything here
            raise BenchError(
                f"Model {type(forward.model).__name__} cannot run in training mode on {batch.size} images of shape "
                f"{list(batch.image.shape[1:])}, though it can in evaluation mode: {unforeseen(error)}."
            ) from error
        check_contract(found, owners, dict(forward.model.named_parameters()), forward.names)


def check_last_batch(forward: ModelForward, batches: Batches, split: Split, parts: int = 1) -> None:
    """Raises BenchError where the last batch of an epoch cannot be split into `parts`, or where its smallest part is
    one sample, which the model cannot train on (BatchNorm).
    """
    if batches.smallest < parts:
        raise BenchError(
            f"The method splits batches into {parts} parts, and an epoch ends with a batch of {batches.smallest}; set "
            "++protocol.training.drop_last=true or another batch_size."
        )
    if batches.smallest // parts != 1:
        return
    tasks, smallest = range(len(forward.names)), "of one sample" if parts == 1 else "that has a part of one sample"
    try:
        with untouched(forward.model, training=True), torch.no_grad():
            forward.on(split.batch(torch.zeros(1, dtype=torch.long)))(tasks, frozenset())
    except Exception as error:  # torch says "Expected more than 1 value per channel", a user's layer anything
        raise BenchError(
            f"An epoch ends with a batch {smallest}, which model {type(forward.model).__name__} cannot train on "
            f"({unforeseen(error)}); set ++protocol.training.drop_last=true or another batch_size."
        ) from error


def _check_overwriting(forward: ModelForward, batch: Batch) -> None:
    """Other forwards read the image, other heads the shared tensors: each as it was."""
    model, features = forward.model, list[Tensor]()
    for task, name in enumerate(forward.names):
        if task == 0 or model.per_task_path:
            before = batch.image._version
            features = forward.encode(batch.image, task)
            if batch.image._version != before:
                raise BenchError(
                    f"{type(model).__name__}.encode changes its input in place, which a second forward of the batch "
                    "would find changed; make a new tensor: image.sub(mean), not image.sub_(mean)."
                )
        alone = len(forward.names) == 1 or model.per_task_path
        kept = [batch.image, *([] if alone else features)]
        versions = [tensor._version for tensor in kept]
        forward.decode([feature.view_as(feature) for feature in features], task)
        if [tensor._version for tensor in kept] != versions:
            raise BenchError(
                f"The head of {name} overwrites in place what it is handed, which others read too; take inplace=True "
                "out of its first layers, and write x = x * 2 for x.mul_(2)."
            )


@contextmanager
def untouched(model: nn.Module, training: bool) -> Iterator[None]:
    """In the given mode; buffers, gradients, mode and random streams are as before after it."""
    buffers = BufferSnapshot(model)
    before, device = model.training, next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        model.train(training)
        try:
            yield
        finally:
            model.train(before)
            buffers.restore()


def _uneven_sum(batch: Batch, task: int, output: Tensor) -> Tensor:
    """Of all numbers of a prediction, none of which cancels another."""
    return (output.flatten() * torch.linspace(0.5, 1.5, output.numel(), device=output.device, dtype=output.dtype)).sum()
