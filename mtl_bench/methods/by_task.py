"""Options that are one number for all tasks, or one for each by its name."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Context
from mtl_bench.methods.priorities import is_number

ByTask = float | Mapping[str, float]


def by_task(option: str, given: ByTask, context: Context) -> Float[Tensor, "K"]:
    """The numbers of all tasks, float64 on the device; a task that a mapping does not name has 0.

    Raises BenchError for a task that the run does not have, and for what is no number.
    """
    numbers = given if isinstance(given, Mapping) else dict.fromkeys(context.tasks, given)
    if unknown := sorted(set(numbers) - set(context.tasks)):
        raise BenchError(f"method.{option} names {unknown[0]}, but the tasks are {', '.join(context.tasks)}.")
    if not all(map(is_number, numbers.values())):
        raise BenchError(f"method.{option} is a number, or numbers by task name, as in {{depth: 0.5}}; got {given}.")
    values = [float(numbers.get(task, 0.0)) for task in context.tasks]
    return torch.tensor(values, dtype=torch.float64, device=context.device)
