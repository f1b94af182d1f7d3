"""How important the tasks are to a person: one vector, the same for every method that can take it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.interface import Context


def is_number(value: object) -> bool:
    """Of Python, NumPy or torch; no text."""
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return False
    return not isinstance(value, str)


@dataclass(kw_only=True, eq=False)
class Prioritised(Method):
    """Takes `priorities`: numbers by task name, of which only the ratios count; a task that is not named has 1.

    A method sees them as p = `preference(tasks)`, which sums to 1 over the tasks of a batch; None: all equal. What the
    vector does differs between methods (a weight of the loss, a bargaining power, a chance to stay unprojected), so
    compare by the effective gradient share that the diagnostics report, not by p.

    Raises BenchError for a task that the run does not have, for a number that is negative or not finite, and for 0
    everywhere.
    """

    priorities: Mapping[str, float] | None = None

    def setup(self, context: Context) -> None:
        super().setup(context)
        given = self.priorities or {}
        if unknown := sorted(set(given) - set(context.tasks)):
            raise BenchError(f"priorities name {unknown[0]}, but the tasks are {', '.join(context.tasks)}.")
        if not all(map(is_number, given.values())):
            raise BenchError(f"priorities are numbers by task name, as in {{depth: 3}}; got {dict(given)}.")
        values = [float(given.get(task, 1.0)) for task in context.tasks]
        if not all(0 <= value < math.inf for value in values) or not any(values):  # NaN is refused too
            raise BenchError(f"priorities are finite, not negative, and not all 0; got {dict(given)}.")

    def preference(self, tasks: tuple[int, ...] | None, count: int) -> Float[Tensor, "k"]:
        """p of `tasks` (None: of `count` tasks that have no names, which is 1 / `count` each); float64, on the host.

        0 for all where every task of a batch has priority 0: it asks for no step. Raises BenchError when priorities
        were given and the method does not know the names.
        """
        if self.priorities is None:
            return torch.full((count,), 1 / count, dtype=torch.float64)
        if tasks is None or not hasattr(self, "context"):
            raise BenchError(
                "priorities go by the names of tasks, which a bare Gramian does not have: use Stepper(…, tasks=[…]), "
                "or leave them out."
            )
        names = self.context.tasks
        values = torch.tensor([float(self.priorities.get(names[task], 1.0)) for task in tasks], dtype=torch.float64)
        return values / values.sum() if values.any() else values
