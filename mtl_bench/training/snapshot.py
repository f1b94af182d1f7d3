"""Everything a trial may move, so that it can be put back bit for bit."""

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Snapshot:
    """Copies of parameters and buffers; one serves every trial between two real updates."""

    def __init__(self, model: nn.Module) -> None:
        self._live = [*model.parameters(), *model.buffers()]
        with torch.no_grad():
            self._saved = [tensor.detach().clone() for tensor in self._live]

    @torch.no_grad()
    def restore(self) -> None:
        for live, saved in zip(self._live, self._saved, strict=True):
            live.copy_(saved)


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


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    return copy.deepcopy(optimizer.state_dict())
