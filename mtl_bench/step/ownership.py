"""Which parameters two losses reach, and which belong to one task."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.step.reach import compiled_together, leaves_of


@dataclass(frozen=True)
class Ownership:
    """`shared` by name, in the order of the forward; `owned` by task. Only parameters that require a gradient count."""

    shared: dict[str, nn.Parameter]
    owned: dict[int, list[nn.Parameter]]


def ownership(shared: Mapping[str, nn.Parameter], owned: Sequence[Iterable[nn.Parameter]]) -> Ownership:
    """`owned[k]` are the parameters that only task k's loss reaches; what does not require a gradient is left out.

    Raises BenchError for a parameter in two lists: shared and a task's own, or the own of two tasks.
    """
    found = Ownership(
        {name: parameter for name, parameter in shared.items() if parameter.requires_grad},
        {task: [parameter for parameter in own if parameter.requires_grad] for task, own in enumerate(owned)},
    )
    owners: dict[int, int] = {}
    for task, parameters in found.owned.items():
        for parameter in parameters:
            if (other := owners.setdefault(id(parameter), task)) != task:
                raise BenchError(
                    f"A parameter of shape {list(parameter.shape)} is listed as task {other}'s own and as task "
                    f"{task}'s, so that a gradient would be lost; what two tasks use (tied heads included) is shared."
                )
    if twice := [name for name, parameter in found.shared.items() if id(parameter) in owners]:
        raise BenchError(
            f"Parameter {twice[0]} is listed both as shared and as a task's own, where a method would count it "
            "twice; list it once."
        )
    return found


def found_ownership(losses: Sequence[Tensor], parameters: Mapping[str, nn.Parameter]) -> Ownership:
    """By autograd: a parameter that two or more losses reach is shared, one that a single loss reaches is its own.

    Raises BenchError when no loss reaches any parameter, and where torch.compile hides who reaches what.
    """
    if compiled_together(losses):
        raise BenchError(
            "Several losses come out of one compiled graph, which hides which of them reaches which parameter; give "
            "shared= and heads=, or compile encoder and heads apart."
        )
    able = {name: parameter for name, parameter in parameters.items() if parameter.requires_grad}
    leaves = [leaves_of(loss) for loss in losses]
    by = {name: [k for k, ids in enumerate(leaves) if id(parameter) in ids] for name, parameter in able.items()}
    if not any(by.values()):
        raise BenchError("No loss reaches a parameter that requires a gradient; compute the losses with the model.")
    least = min(2, len(losses))  # with one task all is shared
    shared = {name: able[name] for name, tasks in by.items() if len(tasks) >= least}
    owned = {
        k: [able[name] for name, tasks in by.items() if tasks == [k] and name not in shared] for k in range(len(losses))
    }
    return Ownership(shared, owned)
