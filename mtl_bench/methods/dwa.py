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

    w = 1 in the first two epochs. T > 0 is the temperature (paper: 2). An epoch's mean is over its batches with a
    label, each alike; a task without a label in one of the two epochs gets r = 1, and so does one whose earlier mean is
    0. A negative mean has no rate: all weights are NaN from there, and steps are counted and skipped. The softmax
    always runs over all K tasks, so the weight of a task does not depend on which others have a label in the batch.

    `window`: null is the paper's form. Widely copied code (Nash-MTL family) compares the last `window` = 25 batches
    with the 25 before them instead of epochs. Here a task's windows hold batches with a label of it, up to the one
    before, and w = 1 until both are full; that code counts the current batch in, begins after one window, with the
    other filled with 1, and averages the weighted losses.
    Cost: 1 forward, 1 backward, K numbers (windows: 2 `window` × K). One copy to the device per epoch.

    Raises BenchError for temperature <= 0 or an empty window.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    separable: ClassVar[bool] = True
    state: ClassVar[tuple[str, ...]] = ("history", "ratios", "recent")

    temperature: float = 2.0
    window: int | None = None
    history: list[Float[Tensor, "K"]] = field(default_factory=list, init=False)  # means of the last two epochs
    ratios: Float[Tensor, "K"] = field(init=False, repr=False)
    recent: Float[Tensor, "K window"] = field(init=False, repr=False)  # losses; NaN: fewer so far

    def check_options(self) -> None:
        super().check_options()
        if not self.temperature > 0:
            raise BenchError(f"temperature must be positive, got {self.temperature}.")
        if self.window is not None and self.window < 1:
            raise BenchError(f"window is a number of batches from 1 on, or null for epochs; got {self.window}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        self.ratios = torch.ones(len(context.tasks), device=context.device)
        self.recent = torch.full((len(context.tasks), 2 * (self.window or 0)), torch.nan, device=context.device)

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        return pick((self.ratios / self.temperature).softmax(dim=0) * len(self.ratios), tasks)

    def observe(self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...]) -> None:
        if self.window is None:
            return
        rows = list(self.recent.unbind())
        for task, value in zip(tasks, values.to(self.recent).unbind(), strict=True):
            rows[task] = torch.cat([rows[task][1:], value.reshape(1)])
        self.recent = torch.where(values.isfinite().all(), torch.stack(rows), self.recent)
        self.compare(self.recent[:, self.window :].mean(dim=1), self.recent[:, : self.window].mean(dim=1))

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        if self.window is not None:
            return
        self.history = [*self.history, means][-2:]
        if len(self.history) == 2:
            self.compare(self.history[1], self.history[0])

    def compare(self, later: Float[Tensor, "K"], earlier: Float[Tensor, "K"]) -> None:
        ratio = (later / earlier).to(self.ratios)
        known = torch.where(ratio.isfinite(), ratio, torch.ones_like(ratio))
        self.ratios = torch.where(((later < 0) | (earlier < 0)).to(known.device), torch.nan, known)
