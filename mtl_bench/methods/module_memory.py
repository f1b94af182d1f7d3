"""What a module of another library remembers between batches, in values that a checkpoint can hold."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

ITS_OWN = set(vars(nn.Module()))  # of torch: parameters, hooks and the like; buffers are asked for by name


class ModuleMemory:
    """Every buffer and plain attribute of a module and of its parts; `device` is where tensors are put back to.

    Kept are tensors, numbers, text, types and devices, and tuples of them. Other objects (functions, solvers) are what
    a module is, not what it remembers; one that is replaced while the module works would be lost, see `objects`.
    """

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self.module, self.device = module, device

    def state_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for part, name, value in self._attributes():
            if _is_plain(value):
                found.setdefault(part, {})[name] = _packed(value)
        return found

    def load_state_dict(self, state: dict[str, Any]) -> None:
        parts = dict(self.module.named_modules())
        for part, attributes in state.items():
            for name, value in attributes.items():
                setattr(parts[part], name, self._unpacked(value))

    def objects(self) -> set[tuple[str, str, int]]:
        """What is not kept: part, name and identity."""
        return {(part, name, id(value)) for part, name, value in self._attributes() if not _is_plain(value)}

    def _attributes(self) -> Iterator[tuple[str, str, Any]]:
        for part, module in self.module.named_modules():
            buffers = {name: getattr(module, name) for name in module._buffers}
            for name, value in {**vars(module), **buffers}.items():
                if name not in ITS_OWN:
                    yield part, name, value

    def _unpacked(self, value: Any) -> Any:
        match value:
            case Tensor():
                return value.to(self.device, copy=True)  # the module may write into it
            case {"dtype": name}:
                return getattr(torch, name)
            case {"device": name}:
                return torch.device(name)
            case {"tuple": entries}:
                return tuple(self._unpacked(entry) for entry in entries)
        return value


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(entry) for entry in value)
    return value is None or isinstance(value, bool | int | float | str | Tensor | torch.dtype | torch.device)


def _packed(value: Any) -> Any:
    match value:
        case torch.dtype():
            return {"dtype": str(value).removeprefix("torch.")}
        case torch.device():
            return {"device": str(value)}
        case tuple():
            return {"tuple": [_packed(entry) for entry in value]}
    return value
