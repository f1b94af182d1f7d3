"""The graph of one forward, cut at the taps."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Graph:
    """Scalar losses by task and the shared tensors each of them read.

    Heads read `taps` (`f.view_as(f)`), never the tensor the encoder goes on with: where the second shared tensor is
    computed from the first, the gradient at the first would otherwise already hold the path through the second, and
    rows in two stages would be wrong. `version` tells whether parameters have moved since the forward.
    """

    terms: dict[int, Tensor]
    features: dict[int, list[Tensor]]  # the same list for every task, or one per task (K paths)
    taps: dict[int, list[Tensor]]
    version: int

    def heads(
        self, task: int, weight: Tensor | None, parameters: Sequence[nn.Parameter]
    ) -> tuple[list[Tensor], list[Tensor | None]]:
        """Backward of one head: gradients of weight · l at the taps and at the head's own parameters.

        Asking for taps and own parameters only frees this head's graph and leaves the encoder's untouched.
        """
        term = self.terms[task] if weight is None else self.terms[task] * weight
        taps = self.taps[task]
        found = torch.autograd.grad(term, [*taps, *parameters], allow_unused=True)
        cotangents = [torch.zeros_like(tap) if g is None else g for tap, g in zip(taps, found, strict=False)]
        return cotangents, list(found[len(taps) :])
