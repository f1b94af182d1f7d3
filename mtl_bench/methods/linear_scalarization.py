"""Fixed weights: `ls`, `priority` and `fixed` are presets of one class."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.by_task import check_by_name, is_number
from mtl_bench.methods.interface import Context
from mtl_bench.methods.loss_weighting import LossWeighting, pick
from mtl_bench.methods.priorities import Prioritised


@dataclass(kw_only=True, eq=False)
class LinearScalarization(LossWeighting, Prioritised):
    """The weighted sum of the losses, Σ_i w_i l_i with constant w.

    * neither argument: the protocol's static weights, 1 each unless it says otherwise (`ls`: the plain sum; some
      libraries document the mean, most code and this suite use the sum);
    * `priorities`, by their share p_k of all K tasks: w_k = K p_k, so that equal ones are the plain sum;
    * `fixed`: one weight per task, used as it is.

    Cost: 1 forward, 1 backward, no memory. State: none. A priority through loss scale is confounded by the losses'
    units; the diagnostics' gradient share says what it really did.

    Raises BenchError when both are given, when `fixed` misses a task of the run, names another or holds a negative
    weight, and what `Prioritised` refuses.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    separable: ClassVar[bool] = True

    fixed: Mapping[str, float] | None = None
    vector: Float[Tensor, "K"] = field(init=False, repr=False)

    def check_options(self) -> None:
        super().check_options()
        if self.fixed is not None:
            check_by_name("fixed weights", self.fixed)
            if self.priorities is not None:
                raise BenchError("Give either priorities or fixed weights, not both.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.priorities is not None:
            count = len(context.tasks)
            self.vector = (count * self.preference(tuple(range(count)), count)).float().to(context.device)
            return
        given = context.static_weights or dict.fromkeys(context.tasks, 1.0)
        chosen = given if self.fixed is None else self.fixed
        if set(chosen) != set(context.tasks):
            raise BenchError(
                f"Task weights name {sorted(chosen, key=str)}, but the tasks are {sorted(context.tasks)}; "
                "name each task once."
            )
        if not all(is_number(weight) and 0 <= weight < math.inf for weight in chosen.values()):
            raise BenchError(f"Task weights are numbers, finite and not negative; got {dict(chosen)}.")
        self.vector = torch.tensor([float(chosen[task]) for task in context.tasks], device=context.device)

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        return pick(self.vector, tasks)
