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
    ) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """Backward of one head: gradients of weight · l at the taps and at the head's own parameters.

        Asking for taps and own parameters only frees this head's graph and leaves the encoder's untouched. None stands
        for a tap that the head does not read, or a parameter that it does not reach.
        """
        taps = self.taps[task]
        found = self.whole(task, weight, [*taps, *parameters])
        return found[: len(taps)], found[len(taps) :]

    def encoder(
        self, task: int, cotangents: Sequence[Tensor | None], parameters: Sequence[nn.Parameter], keep: bool
    ) -> list[Tensor | None]:
        """Backward of the encoder, from the shared tensors that the head of `task` reads; `keep` for a later sweep."""
        read = [(f, c) for f, c in zip(self.features[task], cotangents, strict=True) if c is not None]
        features, arriving = [f for f, _ in read], [c for _, c in read]
        return list(torch.autograd.grad(features, parameters, arriving, retain_graph=keep, allow_unused=True))

    def whole(self, task: int, weight: Tensor | None, inputs: Sequence[Tensor]) -> list[Tensor | None]:
        """Backward of weight · l down to `inputs`, in one go."""
        term = self.terms[task] if weight is None else self.terms[task] * weight
        return list(torch.autograd.grad(term, inputs, allow_unused=True))
