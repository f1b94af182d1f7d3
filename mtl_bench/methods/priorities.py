"""How important the tasks are to a person: one vector, the same for every method that can take it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.by_task import check_by_name
from mtl_bench.methods.interface import Context


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

    def check_options(self) -> None:
        super().check_options()
        given = {} if self.priorities is None else self.priorities
        check_by_name("priorities", given)
        if not all(0 <= float(value) < math.inf for value in given.values()):  # NaN is refused too
            raise BenchError(f"priorities are finite, not negative, and not all 0; got {dict(given)}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        given = self.priorities or {}
        if unknown := sorted(set(given) - set(context.tasks), key=str):
            raise BenchError(f"priorities name {unknown[0]}, but the tasks are {', '.join(context.tasks)}.")
        if not any(float(given.get(task, 1.0)) for task in context.tasks):
            raise BenchError(f"priorities are not all 0, which leaves nothing to learn; got {dict(given)}.")

    def preference(self, tasks: tuple[int, ...] | None, count: int) -> Float[Tensor, "k"]:
        """p of `tasks` (None: of `count` tasks that have no names, which is 1 / `count` each); float64, on the host.

        0 for all where every task of a batch has priority 0: it asks for no step. Raises BenchError when priorities
        were given and the method does not know the names.
        """
        if self.priorities is None:
            return torch.full((count,), 1 / count, dtype=torch.float64)
        if tasks is None or not self.is_set_up:
            raise BenchError(
                "priorities go by the names of tasks, which a bare Gramian does not have: use Stepper(…, tasks=[…]), "
                "or leave them out."
            )
        names = self.context.tasks
        values = torch.tensor([float(self.priorities.get(names[task], 1.0)) for task in tasks], dtype=torch.float64)
        return values / values.sum() if values.any() else values
