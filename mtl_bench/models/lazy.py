"""Layers that learn their sizes from the first forward get them before anything is drawn, counted or named."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from mtl_bench.errors import BenchError, unforeseen
from mtl_bench.models.base import MultiTaskModel

SAMPLES = 3  # of zeros: a BatchNorm over single numbers takes no batch of one


def waiting(model: nn.Module) -> list[str]:
    """Names of parameters that have no shape before the first forward (`nn.LazyLinear` and the like)."""
    return [name for name, parameter in model.named_parameters() if is_lazy(parameter)]


def materialise(model: MultiTaskModel, input_shape: Sequence[int]) -> None:
    """Where a layer is lazy, a forward of every task on zeros of `[3, *input_shape]`; else nothing.

    In evaluation mode, then in training mode for parts that only training uses. Other buffers, modes and the random
    state stay as they were. Raises `BenchError` when that forward fails, or leaves a layer without its size.
    """
    for training in (False, True):
        if names := waiting(model):
            with _restored(model), torch.no_grad():
                model.train(training)
                try:
                    _run(model, input_shape)
                except Exception as error:  # the user's code may raise anything here
                    raise BenchError(
                        f"Model {type(model).__name__} cannot give {names[0]} its shape by a forward on images of "
                        f"shape {list(input_shape)}: {unforeseen(error)}; mend it, or say the layer's sizes."
                    ) from error
    if names := waiting(model):
        raise BenchError(f"Model {type(model).__name__} has {names[0]}, which no forward gives a shape; leave it out.")


def _run(model: MultiTaskModel, input_shape: Sequence[int]) -> None:
    image = torch.zeros(SAMPLES, *input_shape, dtype=next(model.parameters()).dtype)
    for task in range(len(model.tasks)):
        model.decode(list(model.encode(image, task if model.per_task_path else None)), task)


@contextmanager
def _restored(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module._buffers, name, value, value.clone())
        for module, _ in modes
        for name, value in module._buffers.items()
        if value is not None and not is_lazy(value)
    ]
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            for place, name, buffer, value in buffers:  # a forward may also have put another tensor there
                place[name] = buffer.copy_(value)
