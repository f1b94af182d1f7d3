"""Everything a trial may move, so that it can be put back bit for bit."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Snapshot:
    """Copies of parameters or buffers."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._live = list(tensors)
        self._saved = [tensor.detach().clone() for tensor in self._live]

    def changes(self) -> list[Tensor]:
        return [live.detach() - saved for live, saved in zip(self._live, self._saved, strict=True)]

    @torch.no_grad()
    def restore(self) -> None:
        for live, saved in zip(self._live, self._saved, strict=True):
            live.copy_(saved)


class BufferSnapshot:
    """Copies of a model's buffers, by their place: a forward may put another tensor there (`self.ema = …`)."""

    def __init__(self, model: nn.Module | None) -> None:
        modules = [] if model is None else list(model.modules())
        self._places = [(module, name, buffer) for module in modules for name, buffer in module._buffers.items()]
        self._values = Snapshot(buffer for *_, buffer in self._places if buffer is not None)

    def restore(self) -> None:
        for module, name, buffer in self._places:
            setattr(module, name, buffer)
        self._values.restore()


class RandomState:
    """The global stream of the device (dropout) and the method's two generators."""

    def __init__(self, device: torch.device, generators: tuple[torch.Generator, ...]) -> None:
        self._device = device
        self._generators = generators
        self._global = global_random_state(device)
        self._states = [generator.get_state() for generator in generators]

    def restore(self) -> None:
        set_global_random_state(self._device, self._global)
        for generator, state in zip(self._generators, self._states, strict=True):
            generator.set_state(state)


def global_random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_global_random_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


@contextmanager
def replayed(device: torch.device, state: Tensor | None) -> Iterator[Tensor]:
    """Yields the global random state before the block; with `state` the block draws what followed that state, and the
    stream goes on as if it had drawn nothing."""
    before = global_random_state(device)
    if state is not None:
        set_global_random_state(device, state)
    yield before
    if state is not None:
        set_global_random_state(device, before)


class OptimizerSnapshot:
    """State and group options, put back as they were: `load_state_dict` would cast state to the parameters' type."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._state = {parameter: _copy(state) for parameter, state in optimizer.state.items()}
        self._groups = [_copy(group) for group in optimizer.param_groups]

    def restore(self) -> None:
        self._optimizer.state.clear()
        self._optimizer.state.update(self._state)
        for group, saved in zip(self._optimizer.param_groups, self._groups, strict=True):
            group.update(saved)


def _copy(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in options.items() if name != "params"}
