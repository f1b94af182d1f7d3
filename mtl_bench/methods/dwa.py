"""Dynamic weight average."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Context
from mtl_bench.methods.loss_weighting import LossWeighting, pick


@dataclass(kw_only=True, eq=False)
class DynamicWeightAverage(LossWeighting):
    """w = K · softmax(r / T), r_k = L̄_k(t−1) / L̄_k(t−2), mean losses of two preceding epochs (Liu et al., CVPR 2019).

    w = 1 in the first two epochs. T > 0 is the temperature (paper: 2). Losses are averaged over labelled samples; a
    task without a label in one of the two epochs gets r = 1. Widely copied code replaces epochs by windows of 25
    iterations and averages the weighted losses; this is the paper's form. The softmax always runs over all K tasks, so
    the weight of a task does not depend on which others have a label in the batch.
    Cost: 1 forward, 1 backward; one host-to-device copy of K numbers per epoch.

    Raises BenchError for temperature <= 0.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    separable: ClassVar[bool] = True
    state: ClassVar[tuple[str, ...]] = ("history", "ratios")

    temperature: float = 2.0
    history: list[Float[Tensor, "K"]] = field(default_factory=list, init=False)  # means of the last two epochs
    ratios: Float[Tensor, "K"] = field(init=False, repr=False)

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.temperature <= 0:
            raise BenchError(f"temperature must be positive, got {self.temperature}.")
        self.ratios = torch.ones(len(context.tasks), device=context.device)

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        return pick((self.ratios / self.temperature).softmax(dim=0) * len(self.ratios), tasks)

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        self.history = [*self.history, means][-2:]
        if len(self.history) == 2:
            ratio = (self.history[1] / self.history[0]).to(self.ratios)
            self.ratios = torch.where(ratio.isfinite(), ratio, torch.ones_like(ratio))
