"""The graph of one forward, cut at the taps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtl_bench.step.forward import Forwarded


@dataclass
class Graph(Forwarded):
    """A forward whose losses can still be differentiated; `version` tells whether parameters have moved since.

    Only tasks with a graph are in it.
    """

    version: int

    @classmethod
    def of(cls, forwarded: Forwarded, tasks: Iterable[int], version: int) -> "Graph":
        chosen = sorted(tasks)
        terms = {task: forwarded.terms[task] for task in chosen}
        features = {task: forwarded.features[task] for task in chosen}
        return cls(terms, features, {task: forwarded.taps[task] for task in chosen}, version)

    def heads(
        self, task: int, weight: Tensor | None, parameters: Sequence[nn.Parameter]
    ) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """Backward of one head: gradients of weight · l at the taps and at the head's own parameters.

        Asking for taps and own parameters only frees this head's graph and leaves the encoder's untouched. None stands
        for a tap that the head does not read or that has no gradient (a skip connection from the image, a frozen
        encoder), or a parameter that it does not reach.
        """
        able = [tap for tap in self.taps[task] if tap.requires_grad]
        found = iter(self.whole(task, weight, [*able, *parameters]))
        return [next(found) if tap.requires_grad else None for tap in self.taps[task]], list(found)

    def encoder(
        self, task: int, cotangents: Sequence[Tensor | None], parameters: Sequence[nn.Parameter], keep: bool
    ) -> list[Tensor | None]:
        """Backward of the encoder, from the shared tensors that the head of `task` reads; `keep` for a later sweep."""
        read = [(f, c) for f, c in zip(self.features[task], cotangents, strict=True) if c is not None]
        if not read:
            return [None] * len(parameters)
        features, arriving = [f for f, _ in read], [c for _, c in read]
        return list(torch.autograd.grad(features, parameters, arriving, retain_graph=keep, allow_unused=True))

    def whole(
        self, task: int, weight: Tensor | None, inputs: Sequence[Tensor], keep: bool = False
    ) -> list[Tensor | None]:
        """Backward of weight · l down to `inputs`, in one go; `keep` what other losses go through as well."""
        term = self.terms[task] if weight is None else self.terms[task] * weight
        if not (inputs and term.requires_grad):
            return [None] * len(inputs)
        return list(torch.autograd.grad(term, inputs, retain_graph=keep, allow_unused=True))
