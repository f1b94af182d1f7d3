"""Task affinity groupings: the joint run that measures how much each task's step helps every other."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.composable import ComposableMethod
from mtl_bench.methods.gradient import require_shared
from mtl_bench.methods.interface import Context, Step, TaskGradients

MATRICES = {
    "lookahead": ("affinity",),
    "first_order": ("first_order",),
    "cosine": ("cosine",),
    "both": ("affinity", "first_order"),
    "all": ("affinity", "first_order", "cosine"),
}


@dataclass(kw_only=True, eq=False)
class TAG(ComposableMethod):
    """Train all tasks together and measure their affinities for a grouping (Fifty et al., NeurIPS 2021, section 3).

    Z[i, j] = 1 − L_j(θ_i⁺, φ_j) / L_j(θ, φ_j), [source, target], on one batch: θ are the shared parameters, φ_j is the
    head of task j, which stays, and θ_i⁺ is θ after a step on task i alone, which is then undone. Positive: the step of
    i lowers the loss of j. Training is the weighted sum of the losses. The affinity is the mean of Z over the measured
    batches: the first of the run and every `period`-th from there.

    `lookahead`: the step is the `optimizer`'s (momentum of all tasks as in the released CelebA code, decay as in the
    released Taskonomy patch; the clip too, ours) or plain `sgd`, θ − lr · g_i (paper). `divide_by_lr`: Z / lr, so
    that a decaying rate does not shrink late measurements (released code). As in the paper: lookahead=sgd,
    divide_by_lr=false. `measure`: `lookahead` is Z; `first_order` is its limit under plain SGD, lr · ⟨g_i, g_j⟩ / L_j,
    whatever `lookahead` says; `cosine` is that of g_i and g_j over the parameters with more than one dimension (the
    paper's CS, there at every batch: period=1); `both` are the first two and their rank correlation, `all` are the
    three. L_j and g_i are of the raw losses: `weighting` (None: the protocol's static weights) acts on training alone.

    Lookaheads replay dropout, use batch statistics and leave the running ones alone (the release moves them). All
    shared parameters are stepped (the release's Taskonomy network leaves its neck). A batch that is not measured trains
    like `ls` bit for bit; a measured one up to rounding, because it adds k rows where `ls` adds up cotangents. Not
    measured are pairs of a task without a label in the batch, pairs whose Z is no share of a loss (the target's is 0 or
    negative, or the rate is 0), and batches with a loss or gradient that is not finite, whose step is skipped too.
    Single values are noisy: fp32 losses round at 1e-7 (at lr 1e-4 up to 3 % of a weak pair under sgd), and SegNet's
    loss jumps where a pooling index flips.

    Cost of a measured batch: 1 + k forwards, k backwards, 1 + 2k passes (K paths: k + k² and 2k + k²), without
    lookaheads 1 + k passes; k × P memory, a copy of the parameters and of the state that the optimizer's rule moves;
    one host copy per matrix, and a truth value. Other batches: 1 forward, 1 backward.

    Raises BenchError for unknown options, for a weighting with scale_heads=false, and for cosines of a model that
    shares nothing but vectors.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("batches", "total", "epoch", "epoch_affinity")

    lookahead: Literal["sgd", "optimizer"] = "optimizer"
    divide_by_lr: bool = True
    period: int = 10
    measure: Literal["lookahead", "first_order", "cosine", "both", "all"] = "both"
    batches: int = field(default=0, init=False)
    total: Float[Tensor, "2 matrices K K"] = field(init=False, repr=False)  # sums and counts, on the host
    epoch: Float[Tensor, "2 matrices K K"] = field(init=False, repr=False)
    epoch_affinity: list[list[float | None]] = field(default_factory=list, init=False)  # of the last whole epoch

    def check_options(self) -> None:
        super().check_options()
        if self.period < 1:
            raise BenchError(f"method.period counts batches, 1 or more; got {self.period}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        require_shared(self, context)
        if "cosine" in MATRICES[self.measure] and all(len(shape) < 2 for shape in context.shared.values()):
            raise BenchError(
                "Cosines leave out biases and norms, and this model shares nothing else; choose measure=both."
            )
        self.matrices = MATRICES[self.measure]
        if "affinity" in self.matrices:
            context.require_repeats()
        K = len(context.tasks)
        self.total = self.epoch = torch.zeros(2, len(self.matrices), K, K, dtype=torch.float64)

    def update(self, step: Step) -> None:
        measured = self.batches % self.period == 0
        self.batches += 1
        losses = step.losses(at="shared" if measured else None)
        weights = self.weigh(losses, step)
        if measured:
            gradients = step.gradients(losses)
            self._measure(gradients, step)
            gradients.combine(weights, heads=weights)
        else:
            step.backward(losses, weights)
        self.observe(losses)
        step.apply()

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        super().end_epoch(means)
        if "affinity" in self.matrices:
            self.epoch_affinity = as_lists(self.epoch[0, 0] / self.epoch[1, 0])
        self.epoch = torch.zeros_like(self.epoch)

    def findings(self) -> dict[str, Any]:
        """Means over the run so far, [source][target], None for a pair never measured; `epoch_affinity`: of one epoch.

        `rank_correlation` is Spearman's, of `affinity` and `first_order` off the diagonal.
        """
        means = dict(zip(self.matrices, self.total[0] / self.total[1], strict=True))
        found: dict[str, Any] = {name: as_lists(mean) for name, mean in means.items()}
        if "affinity" in means:
            found["epoch_affinity"] = self.epoch_affinity
        if "affinity" in means and "first_order" in means:
            found["rank_correlation"] = rank_correlation(means["affinity"], means["first_order"])
        return found

    def _measure(self, gradients: TaskGradients, step: Step) -> None:
        gramian, before, lr = gradients.gramian(), gradients.losses, step.lr
        if not (gramian.isfinite().all() and gradients.finite()):
            return
        before = torch.where(before > 0, before, torch.nan)
        scale = lr if self.divide_by_lr else 1.0
        found = []
        for name in self.matrices:
            if name == "affinity":
                found.append((1 - self._after(gradients, step) / before) / scale)
            elif name == "first_order":
                found.append(lr * gramian / before / scale)
            else:
                found.append(cosines(gradients))
        self.total, self.epoch = (added(sums, torch.stack(found), gradients.tasks) for sums in (self.total, self.epoch))

    def _after(self, gradients: TaskGradients, step: Step) -> Float[Tensor, "k k"]:
        """Losses after a step on each task alone, [source, target], on the host."""
        rows = []
        for source in torch.eye(len(gradients.tasks)):
            with step.trial():
                gradients.combine(source)  # the heads get gradients too, and are not stepped
                step.apply(only="shared", rule=self.lookahead)
                rows.append(step.losses(gradients.tasks, grad=False).values)
        return torch.stack(rows).double().cpu()


def added(
    sums: Float[Tensor, "2 matrices K K"], found: Float[Tensor, "matrices k k"], tasks: tuple[int, ...]
) -> Float[Tensor, "2 matrices K K"]:
    """Sums and counts with the finite values of the tasks in the batch."""
    here, known = torch.tensor(tasks), found.isfinite()
    sums = sums.clone()
    sums[:, :, here[:, None], here] += torch.stack([found.where(known, 0.0), known.double()])
    return sums


def cosines(gradients: TaskGradients) -> Float[Tensor, "k k"]:
    """Cosines of the rows without biases and norms, on the host; NaN with a row of zeros."""
    weights = [rows.flatten(start_dim=1) for _, rows in gradients.layers() if rows.dim() > 2]
    gramian = torch.stack([rows @ rows.T for rows in weights]).double().sum(dim=0).cpu()
    norms = gramian.diagonal().sqrt()
    return gramian / norms / norms[:, None]


def rank_correlation(one: Float[Tensor, "K K"], other: Float[Tensor, "K K"]) -> float | None:
    """Spearman's, off the diagonal; None where either knows fewer than two different values."""
    chosen = ~torch.eye(len(one), dtype=torch.bool) & one.isfinite() & other.isfinite()
    if min(len(matrix[chosen].unique()) for matrix in (one, other)) < 2:
        return None
    from scipy import stats  # late: half a second that only a finished epoch needs

    return float(stats.spearmanr(one[chosen], other[chosen]).statistic)


def as_lists(means: Float[Tensor, "K K"]) -> list[list[float | None]]:
    """Rows for the record, which knows no NaN."""
    return [[value if value == value else None for value in row] for row in means.tolist()]
