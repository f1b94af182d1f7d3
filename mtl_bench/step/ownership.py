"""Which parameters two losses reach, and which belong to one task."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError


@dataclass(frozen=True)
class Ownership:
    """`shared` by name, in the order of the forward; `owned` by task. Only parameters that require a gradient count."""

    shared: dict[str, nn.Parameter]
    owned: dict[int, list[nn.Parameter]]


def ownership(shared: Mapping[str, nn.Parameter], owned: Sequence[Iterable[nn.Parameter]]) -> Ownership:
    """`owned[k]` are the parameters that only task k's loss reaches; what does not require a gradient is left out."""
    return Ownership(
        {name: parameter for name, parameter in shared.items() if parameter.requires_grad},
        {task: [parameter for parameter in own if parameter.requires_grad] for task, own in enumerate(owned)},
    )


def found_ownership(losses: Sequence[Tensor], parameters: Mapping[str, nn.Parameter]) -> Ownership:
    """By autograd: a parameter that two or more losses reach is shared, one that a single loss reaches is its own.

    The graphs of `losses` stay. Raises BenchError when no loss reaches any parameter.
    """
    able = {name: parameter for name, parameter in parameters.items() if parameter.requires_grad}
    found = [reaches(loss, list(able.values())) for loss in losses]
    reached = {name: [k for k, row in enumerate(found) if row[i] is not None] for i, name in enumerate(able)}
    if not any(reached.values()):
        raise BenchError("No loss reaches a parameter that requires a gradient; compute the losses with the model.")
    least = min(2, len(losses))  # with one task all is shared
    shared = {name: able[name] for name, tasks in reached.items() if len(tasks) >= least}
    owned = {
        k: [able[name] for name, tasks in reached.items() if tasks == [k] and name not in shared]
        for k in range(len(losses))
    }
    return Ownership(shared, owned)


def reaches(loss: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor | None]:
    """Gradients of a loss, None where it does not reach; nothing is spent."""
    if not (parameters and loss.requires_grad):
        return [None] * len(parameters)
    return list(torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True))
