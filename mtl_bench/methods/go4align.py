"""GO4Align."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Context
from mtl_bench.methods.loss_weighting import LossWeighting, pick
from mtl_bench.methods.solvers.kmeans_1d import kmeans_1d
from mtl_bench.methods.task_values import placed, positive

STRAY = 1e-6  # share of the range by which a value may lie nearer to another centre; above, the solver has failed


@dataclass(kw_only=True, eq=False)
class GO4Align(LossWeighting):
    """Tasks in groups by how they are doing, one weight per group (Shen et al., NeurIPS 2024).

    q_k ← q_k e^{−β l_k}, renormalised; γ_k = q_k mean(l) / l_k; the γ are clustered by k-means into `groups` C groups,
    and w_k is the centre of its own. C = 1 is the mean of γ, C = k no grouping. When the tasks agree the weights sum to
    1 (times k here, which is the released code's scale; `raw_scale=True`: the paper's). C is tuned per dataset; where
    a batch has fewer tasks it is their number.

    Released code starts k-means at random, so that weights differ from run to run and groups may be empty; here it is
    solved exactly, by dynamic programming over the sorted values. q is kept as a logarithm. It depends on the losses'
    units and drifts one way: tasks with a large loss vanish, the sooner the larger `beta` is.
    1e-8 is added to a loss; a negative one gives NaN, which is counted and skipped.
    Cost: 1 forward, 1 backward, K numbers, one host copy of k numbers per batch.

    Raises BenchError for fewer than one group or a negative beta.
    """

    natural_sum: ClassVar[Literal[1]] = 1
    separable: ClassVar[bool] = False
    state: ClassVar[tuple[str, ...]] = ("log_risk",)

    groups: int = 2
    beta: float = 1e-4
    log_risk: Float[Tensor, "K"] = field(init=False, repr=False)  # log q up to a constant

    def check_options(self) -> None:
        super().check_options()
        if self.groups < 1 or not self.beta >= 0:
            raise BenchError(f"groups is a number from 1 on and beta not negative, got {self.groups} and {self.beta}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        # float64: at the default β, what one batch adds drowns in a float32 after some thousand of them
        self.log_risk = torch.zeros(len(context.tasks), dtype=torch.float64, device=context.device)

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        losses = positive(values).double()
        risk = (pick(self.log_risk, tasks) - self.beta * losses).softmax(dim=0)
        indicators = (risk * losses.mean() / losses).cpu()
        if not indicators.isfinite().all():  # the step is going to be skipped
            return torch.full_like(values, torch.nan)
        centres, stray = kmeans_1d(indicators.numpy(), min(self.groups, len(tasks)))
        self.solver_failures += int(stray > STRAY)
        return torch.from_numpy(centres).to(values, non_blocking=True)

    def observe(self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...]) -> None:
        losses, before = positive(values).double(), pick(self.log_risk, tasks)
        after = torch.where(losses.isfinite().all(), before - self.beta * losses, before)
        self.log_risk = placed(self.log_risk, after, tasks)
