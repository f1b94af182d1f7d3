"""Impartial multi-task learning, its balance of losses."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.interface import Context
from mtl_bench.methods.loss_weighting import LossWeighting
from mtl_bench.methods.task_scalars import TaskScalars

BOUND = 10.0  # of s; ours, as for the log-variances of uncertainty weighting


@dataclass(kw_only=True, eq=False)
class IMTLL(LossWeighting):
    """Trainable scales that make all weighted losses equal (Liu et al., ICLR 2021, IMTL-L).

    The objective of task k is e^{s_k} l_k − s_k, so w_k = e^{s_k} and ∂/∂s_k = w_k l_k − 1: at rest w_k l_k = 1, which
    is scale-invariant weighting with a lag. Twice uncertainty weighting in its form "half", with s for −s. The paper
    allows any base a > 1; code uses e. s starts at 0, is trained by its own Adam (`lr`; released code trains it with
    the model's; no weight decay, schedule or clip of the protocol) and is held within ± 10.
    IMTL is this as `weighting` of IMTL-G; many tables' "IMTL" is IMTL-G alone.
    Cost: 1 forward, 1 backward, K scalars. No host copy.
    """

    natural_sum: ClassVar[None] = None
    separable: ClassVar[bool] = True
    state: ClassVar[tuple[str, ...]] = ("log_scale",)

    lr: float = 0.025
    log_scale: TaskScalars = field(init=False, repr=False)

    def setup(self, context: Context) -> None:
        super().setup(context)
        self.log_scale = TaskScalars(len(context.tasks), 0.0, self.lr, 0.0, context.device, BOUND)

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        return self.log_scale.values(tasks).exp()

    def observe(self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...]) -> None:
        self.log_scale.descend(self.weights(values, tasks=tasks) * values - 1, tasks)
