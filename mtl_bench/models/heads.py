"""One head per task."""

from collections.abc import Callable, Mapping

from torch import nn

from mtl_bench.errors import BenchError


def build_heads(outputs: Mapping[str, int], head: Callable[[int], nn.Module]) -> nn.ModuleDict:
    """Heads by task name: `head(n)` for each task with `n` output channels, in the order of `outputs`.

    Raises `BenchError` without a task, and for a task name that torch cannot register.
    """
    if not outputs:
        raise BenchError("A model needs at least one task: name some in `tasks`.")
    try:
        return nn.ModuleDict({task: head(channels) for task, channels in outputs.items()})
    except KeyError as error:
        raise BenchError(
            f"A task of {list(outputs)} has a name that a head cannot carry ({error.args[0]}): rename it; "
            "dots, empty names and attributes of torch.nn.ModuleDict such as `train` are taken."
        ) from error
