"""Fixed weights: `ls`, `priority` and `fixed` are presets of one class."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Context
from mtl_bench.methods.loss_weighting import LossWeighting, pick


@dataclass(kw_only=True, eq=False)
class LinearScalarization(LossWeighting):
    """The weighted sum of the losses, Σ_i w_i l_i with constant w.

    * neither argument: the protocol's static weights, 1 each unless it says otherwise (`ls`: the plain sum; some
      libraries document the mean, most code and this suite use the sum);
    * `priority` p, Σ_k p_k = 1 over all K tasks: w_k = K p_k, so that p_k = 1/K is the plain sum;
    * `fixed`: one weight per task, used as it is.

    Cost: 1 forward, 1 backward, no memory. State: none. A priority through loss scale is confounded by the losses'
    units; the diagnostics' gradient share says what it really did.

    Raises BenchError when both are given, when a task of the run is missing or unknown, or when p does not sum to 1.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    separable: ClassVar[bool] = True

    priority: Mapping[str, float] | None = None
    fixed: Mapping[str, float] | None = None
    vector: Float[Tensor, "K"] = field(init=False, repr=False)

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.priority is not None and self.fixed is not None:
            raise BenchError("Give either priority or fixed weights, not both.")
        given = self.fixed if self.priority is None else self.priority
        chosen = (context.static_weights or dict.fromkeys(context.tasks, 1.0)) if given is None else given
        if set(chosen) != set(context.tasks):
            raise BenchError(
                f"Task weights name {sorted(chosen)}, but the tasks are {sorted(context.tasks)}; name each task once."
            )
        values = torch.tensor([float(chosen[task]) for task in context.tasks], dtype=torch.float64)
        if self.priority is not None:
            if not (abs(values.sum().item() - 1) <= 1e-6 and (values >= 0).all()):  # NaN is refused too
                raise BenchError(f"priority must be non-negative and sum to 1, got {dict(self.priority)}.")
            values = values * len(context.tasks)
        self.vector = values.float().to(context.device)

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        return pick(self.vector, tasks)
