"""Which layers the tasks fight over: conflicts of gradients, counted layer by layer while training goes on."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.composable import ComposableMethod, check_made
from mtl_bench.methods.gradient import GradientMethod, require_shared
from mtl_bench.methods.interface import Context, Step, TaskGradients
from mtl_bench.methods.layer_names import layer_of, require_layers


@dataclass(kw_only=True, eq=False)
class LayerConflicts(ComposableMethod):
    """Train all tasks together and count per shared layer how often two of them conflict: the first step of Recon
    (Shi, Ren, Zhang and Pan, ICLR 2023), which `mtl-bench recon` goes on from.

    S-conflict score of a layer: over all batches and pairs i < j of tasks in them, the number with cos(g_i, g_j) < S,
    where g_i is the gradient of task i's loss at everything that the layer itself holds, weight and bias, and S is
    `severity`, a cosine. S = 0 counts every conflict, a negative one those that are severe. A layer is named as its
    module; a norm is one too (inferred: the 25 layers that the paper splits in a ResNet-18 are more than its 21
    convolutions and linear layers).

    Training is the weighted sum of the losses, as the paper's joint training; `train_by` puts a gradient method there,
    as the paper does with CAGrad. Gradients are raw: a positive weight of a loss changes no cosine. A task that does
    not reach a layer, or whose gradient there is 0, conflicts with nobody; a batch with a loss or gradient that is not
    finite, whose step is skipped, counts nothing. It trains like `ls` up to rounding, because it adds k rows where `ls`
    adds up cotangents.

    Findings: `layers`, their `conflicts`, and `pairs`, the largest number that a layer could have had. As of the last
    whole epoch, as all findings.
    Cost: 1 forward, k encoder backwards, k × P memory; no host copy of its own.

    Raises BenchError for a severity outside (−1, 1], for a model that shares nothing, for shared parameters without
    names, and for a `train_by` that takes gradients at features, has a step of its own, or comes beside a weighting.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("conflicts", "pairs", "train_by")

    severity: float = -0.1
    train_by: GradientMethod | None = None
    layers: dict[str, int] = field(init=False, repr=False)  # name → place in `conflicts`
    conflicts: Int[Tensor, "layers"] = field(init=False, repr=False)  # on the device
    pairs: Int[Tensor, ""] = field(init=False, repr=False)

    def check_options(self) -> None:
        super().check_options()
        check_made("train_by", self.train_by)
        if not -1 < self.severity <= 1:
            raise BenchError(f"severity is a cosine above −1 and at most 1, got {self.severity}.")
        by = self.train_by
        if by is None:
            return
        if not isinstance(by, GradientMethod) or type(by).update is not GradientMethod.update or by.at != "shared":
            raise BenchError(
                f"Conflicts are counted in gradients of shared parameters, and {type(by).__name__} takes others or a "
                "step of its own; train by another method, or leave train_by out for the plain sum."
            )
        if self.weighting is not None:
            raise BenchError("The losses are weighted by what trains; give the weighting to train_by.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        require_shared(self, context)
        require_layers(self, context)
        if self.train_by is not None:
            self.train_by.setup(context)
        names = dict.fromkeys(map(layer_of, context.shared))
        self.layers = {name: place for place, name in enumerate(names)}
        self.conflicts = torch.zeros(len(names), dtype=torch.int64, device=context.device)
        self.pairs = torch.zeros((), dtype=torch.int64, device=context.device)

    def update(self, step: Step) -> None:
        by = self.train_by
        losses = step.losses(at="shared")
        weights = (by or self).weigh(losses, step)
        gradients = step.gradients(losses, weights=None if by is None else weights)
        self._count(gradients)
        if by is None:
            gradients.combine(weights, heads=weights)
        else:
            by.write(gradients, step)
            self.solver_failures = by.missed_residuals()
        (by or self).observe(losses)
        step.apply()

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        if self.train_by is None:
            super().end_epoch(means)
        else:
            self.train_by.end_epoch(means)

    def findings(self) -> dict[str, Any]:
        return {"layers": list(self.layers), "conflicts": self.conflicts.tolist(), "pairs": int(self.pairs)}

    def _count(self, gradients: TaskGradients) -> None:
        k = len(gradients.tasks)
        gramians = gradients.matrix().new_zeros(len(self.layers), k, k)
        for name, rows in gradients.layers():
            flat = rows.flatten(start_dim=1)
            gramians[self.layers[layer_of(name)]] += flat @ flat.T
        norms = gramians.diagonal(dim1=1, dim2=2).sqrt()
        cosines = gramians / norms[:, :, None] / norms[:, None, :]  # NaN with a gradient of 0, which is below nothing
        sound = gradients.finite() & gramians.isfinite().all()
        pairs = torch.ones(k, k, dtype=torch.bool, device=cosines.device).triu(diagonal=1)
        self.conflicts += ((cosines < self.severity) & pairs).sum(dim=(1, 2)) * sound
        self.pairs += pairs.sum() * sound
