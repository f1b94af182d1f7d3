"""Gradient sign dropout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.by_task import ByTask, by_task
from mtl_bench.methods.gradient import GradientAggregation
from mtl_bench.methods.interface import Context, TaskGradients
from mtl_bench.methods.loss_weighting import pick

PIECE = 2**14  # coordinates of eleven tasks with their temporaries


@dataclass(kw_only=True, eq=False)
class GradDrop(GradientAggregation):
    """Keeps, coordinate by coordinate, gradients of one sign (Chen et al., NeurIPS 2020).

    s_k = Σ_batch h_k ⊙ sign(z) at the features z (the paper's form, `at="feature"`) or s_k = g_k at the parameters
    (`at="shared"`, another method); P = ½ (1 + Σ_k s_k / (Σ_k |s_k| + ε)); one U ~ U[0, 1] per coordinate, shared by
    all tasks; task k keeps what has s_k > 0 where P > U and what has s_k < 0 where P < U. d = Σ_k h_k ⊙ (leak +
    (1 − leak) mask_k), `leak` in [0, 1], one for all tasks or by their names. ε = 1e-12 only guards coordinates where
    all rows are 0.
    Cost: 1 forward, 1 encoder backward; k × F memory and temporaries as large, F numbers at the features. At
    "shared": k, of k × P (on a CPU without the temporaries).

    Raises BenchError for leak outside [0, 1].
    """

    natural_sum: ClassVar[Literal["k"]] = "k"

    at: Literal["shared", "feature"] = "feature"
    leak: ByTask = 0.0
    leaks: Float[Tensor, "K"] = field(init=False, repr=False)

    def setup(self, context: Context) -> None:
        super().setup(context)
        self.leaks = by_task("leak", self.leak, context)
        if not ((self.leaks >= 0) & (self.leaks <= 1)).all():
            raise BenchError(f"leak must lie in [0, 1], got {self.leak}.")

    def direction(self, gradients: TaskGradients, *, generator: torch.Generator) -> Float[Tensor, "P"]:
        leak = pick(self.leaks, gradients.tasks) if isinstance(self.leak, Mapping) else self.leak
        if gradients.features is None:
            return self.at_parameters(gradients.matrix(), leak, generator)
        pieces = []
        for name, rows in gradients.layers():
            signed = (rows * gradients.features[name].sign()).sum(dim=1, keepdim=True)  # over the batch
            pieces.append(self.masked(rows, signed, leak, uniform(signed, generator)).reshape(-1))
        return torch.cat(pieces)

    def at_parameters(
        self, rows: Float[Tensor, "k P"], leak: float | Float[Tensor, "k"], generator: torch.Generator
    ) -> Float[Tensor, "P"]:
        """In pieces that a processor's cache holds, as every number is read several times.

        The last has what is left besides: sums over a few columns would end in other bits.
        """
        length, draw = rows.shape[1], uniform(rows, generator)
        full = max(length // PIECE, 1) - 1 if rows.device.type == "cpu" else 0
        lengths = [PIECE] * full + [length - full * PIECE]
        pieces = zip(rows.split(lengths, dim=1), draw.split(lengths), strict=True)
        return torch.cat([self.masked(piece, piece, leak, drawn) for piece, drawn in pieces])

    @staticmethod
    def masked(
        rows: Float[Tensor, "k *shape"],
        signed: Float[Tensor, "k *reduced"],
        leak: float | Float[Tensor, "k"],
        draw: Float[Tensor, "*reduced"],
    ) -> Float[Tensor, "*shape"]:
        """Σ_k of what the draw keeps of the rows, and of `leak` of the rest."""
        purity = 0.5 * (1 + signed.sum(dim=0) / (signed.abs().sum(dim=0) + 1e-12))
        kept = signed * (purity - draw).sign() > 0
        if isinstance(leak, Tensor):
            leak = leak.to(rows).view(-1, *[1] * (rows.ndim - 1))
        return (rows * (leak + (1 - leak) * kept.to(rows))).sum(dim=0)


def uniform(signed: Float[Tensor, "k *shape"], generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """U ~ U[0, 1] for all tasks."""
    return torch.rand(signed.shape[1:], generator=generator, device=signed.device, dtype=signed.dtype)
