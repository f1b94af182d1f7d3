"""Options that are one number for all tasks, or one for each by its name."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.kinds import shown
from mtl_bench.methods.interface import Context

ByTask = float | Mapping[str, float]


def is_number(value: object) -> bool:
    """Of Python, NumPy or torch; no text."""
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return False
    return not isinstance(value, str)


def check_by_name(what: str, given: object) -> None:
    """Raises BenchError for anything but a mapping to numbers."""
    if not isinstance(given, Mapping) or not all(map(is_number, given.values())):
        raise BenchError(f"{what} are numbers by task name, as in {{depth: 3}}; got {shown(given)}.")


def by_task(option: str, given: ByTask, context: Context) -> Float[Tensor, "K"]:
    """The numbers of all tasks, float64 on the device; a task that a mapping does not name has 0.

    Raises BenchError for a task that the run does not have, and for what is no finite number.
    """
    numbers = given if isinstance(given, Mapping) else dict.fromkeys(context.tasks, given)
    if unknown := sorted(set(numbers) - set(context.tasks), key=str):
        raise BenchError(f"method.{option} names {unknown[0]}, but the tasks are {', '.join(context.tasks)}.")
    if not all(is_number(number) and math.isfinite(float(number)) for number in numbers.values()):
        raise BenchError(
            f"method.{option} is a number, or numbers by task name, as in {{depth: 0.5}}, and finite; "
            f"got {shown(given)}."
        )
    values = [float(numbers.get(task, 0.0)) for task in context.tasks]
    return torch.tensor(values, dtype=torch.float64, device=context.device)
