"""Scale-invariant weighting."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.interface import Context
from mtl_bench.methods.loss_weighting import LossWeighting, pick
from mtl_bench.methods.priorities import Prioritised
from mtl_bench.methods.task_values import positive


@dataclass(kw_only=True, eq=False)
class ScaleInvariant(LossWeighting, Prioritised):
    """The sum of the losses' logarithms, Σ_k log l_k, so that w_k = 1 / l_k (a baseline of Navon et al., ICML 2022).

    Multiplying a loss by a constant changes nothing. With `priorities`, by their share p_k of all K tasks, the sum is
    K Σ_k p_k log l_k (ours). 1e-8 is added to a loss; a negative one, which log-likelihoods of densities can be, gives
    NaN, which is counted and skipped. The step grows without bound as a loss goes to 0.
    Cost: 1 forward, 1 backward, no memory. State: none. No host copy.
    """

    natural_sum: ClassVar[None] = None
    separable: ClassVar[bool] = True

    factors: Float[Tensor, "K"] = field(init=False, repr=False)

    def setup(self, context: Context) -> None:
        super().setup(context)
        count = len(context.tasks)
        self.factors = (count * self.preference(tuple(range(count)), count)).float().to(context.device)

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        return pick(self.factors, tasks) / positive(values)
