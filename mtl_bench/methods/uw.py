"""Homoscedastic uncertainty weighting."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Context
from mtl_bench.methods.loss_weighting import LossWeighting, pick
from mtl_bench.methods.task_scalars import TaskScalars

BOUND = 10.0  # of log σ²; ours: no released code bounds it


@dataclass(kw_only=True, eq=False)
class UncertaintyWeighting(LossWeighting):
    """Weights from one trainable log-variance s_k = log σ_k² per task (Kendall, Gal & Cipolla, CVPR 2018).

    The objective of task k is a_k e^{−s_k} l_k + b_k s_k, so w_k = a_k e^{−s_k} and ∂/∂s_k = b_k − w_k l_k:

    * `form="paper"`: a = ½ for regression, 1 for classification, b = ½;
    * `form="half"`: ½ (e^{−s} l + s) for every task (Nash-MTL code family: s₀ = 0, Adam lr 0.025; LibMTL: s₀ = −0.5);
    * `form="plain"`: e^{−s} l + ½ s for every task (Aligned-MTL code).

    s starts at `initial`, is trained by its own Adam (`lr`; the lr matters and differs between codes; no weight decay,
    schedule or clip of the protocol) and is clamped to [−10, 10]: without a bound a task whose loss goes to 0
    takes all. At the optimum of s the weight is b_k / l_k: UW is scale-invariant weighting with a lag.
    Reading w before s moves makes this equal to joint training of s and θ (without a joint clip).
    Cost: 1 forward, 1 backward, K scalars. Raises BenchError for an unknown form.
    """

    natural_sum: ClassVar[None] = None
    separable: ClassVar[bool] = True
    state: ClassVar[tuple[str, ...]] = ("log_variance",)

    form: Literal["paper", "half", "plain"] = "paper"
    initial: float = 0.0
    lr: float = 0.025
    log_variance: TaskScalars = field(init=False, repr=False)

    def check_options(self) -> None:
        super().check_options()
        if abs(self.initial) > BOUND:
            raise BenchError(f"initial must lie within ±{BOUND:g}, got {self.initial}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        factors = {
            "paper": [0.5 if kind == "regression" else 1.0 for kind in context.likelihoods],
            "half": [0.5] * len(context.tasks),
            "plain": [1.0] * len(context.tasks),
        }
        if self.form == "paper" and len(context.likelihoods) != len(context.tasks):
            raise BenchError("form=paper weighs regressions by half: give `likelihoods`, one per task, or form=half.")
        self.factor = torch.tensor(factors[self.form], device=context.device)
        self.log_variance = TaskScalars(len(context.tasks), self.initial, self.lr, 0.0, context.device, BOUND)

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        return pick(self.factor, tasks) * (-self.log_variance.values(tasks)).exp()

    def observe(self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...]) -> None:
        self.log_variance.descend(0.5 - self.weights(values, tasks=tasks) * values, tasks)
