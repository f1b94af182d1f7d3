"""The graph of one forward, cut at the taps."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge
from torch.utils.checkpoint import CheckpointError

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import TaskLosses
from mtl_bench.step.forward import Forwarded

End = Tensor | GradientEdge  # of a backward

ADVICE = {  # what torch names → what to do
    "use_reentrant": "checkpoint with use_reentrant=False",
    "donated buffers": "set torch._functorch.config.donated_buffer = False before anything is compiled",
}


@dataclass
class Graph(Forwarded):
    """A forward whose losses can still be differentiated; `version` tells whether parameters have moved since.

    Only tasks with a graph are in it.
    """

    version: int = 0

    @classmethod
    def of(cls, forwarded: Forwarded, tasks: Iterable[int], version: int) -> "Graph":
        chosen = sorted(tasks)
        terms = {task: forwarded.terms[task] for task in chosen}
        features = {task: forwarded.features[task] for task in chosen}
        return cls(terms, features, {task: forwarded.taps[task] for task in chosen}, forwarded.joined, version)

    def heads(
        self, task: int, weight: Tensor | None, parameters: Sequence[nn.Parameter], last: bool
    ) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """Backward of one head: gradients of weight · l at the taps and at the head's own parameters.

        Asking for taps and own parameters only frees this head's graph and leaves the encoder's untouched; where heads
        are `joined`, it frees nothing before the `last`. None stands
        for a tap that the head does not read or that has no gradient (a skip connection from the image, a frozen
        encoder), or a parameter that it does not reach.
        """
        able = [tap for tap in self.taps[task] if tap.requires_grad]
        found = iter(self.whole(task, weight, [*able, *parameters], keep=self.joined and not last))
        return [next(found) if tap.requires_grad else None for tap in self.taps[task]], list(found)

    def encoder(
        self, task: int, cotangents: Sequence[Tensor | None], inputs: Sequence[End], keep: bool
    ) -> list[Tensor | None]:
        """Backward of the encoder, from the shared tensors that the head of `task` reads; `keep` for a later sweep."""
        read = [(f, c) for f, c in zip(self.features[task], cotangents, strict=True) if c is not None]
        if not read:
            return [None] * len(inputs)
        features, arriving = [f for f, _ in read], [c for _, c in read]
        with one_by_one():
            found = torch.autograd.grad(features, inputs, arriving, retain_graph=keep, allow_unused=True)  # type: ignore[arg-type]
            return list(found)

    def encoders(
        self, tasks: Sequence[int], cotangents: Sequence[Tensor | None], inputs: Sequence[nn.Parameter]
    ) -> list[Float[Tensor, "k ..."] | None]:
        """`encoder` of tasks that read one and the same shared tensor, in one sweep, which frees the graph."""
        [feature] = self.features[tasks[0]]
        if all(one is None for one in cotangents):
            return [None] * len(inputs)
        arriving = torch.stack([torch.zeros_like(feature) if one is None else one for one in cotangents])
        with one_by_one("leave sweeps_together=True out, which this encoder does not bear"):
            return list(torch.autograd.grad(feature, inputs, arriving, allow_unused=True, is_grads_batched=True))

    def whole(self, task: int, weight: Tensor | None, inputs: Sequence[End], keep: bool = False) -> list[Tensor | None]:
        """Backward of weight · l down to `inputs`, in one go; `keep` what other losses go through as well."""
        term = self.terms[task] if weight is None else self.terms[task] * weight
        if not (inputs and term.requires_grad):
            return [None] * len(inputs)
        with one_by_one():
            return list(torch.autograd.grad(term, inputs, retain_graph=keep, allow_unused=True))  # type: ignore[arg-type]


def spend(losses: TaskLosses, version: int) -> Graph:
    """The graph of these losses, which have none afterwards. Raises BenchError for one that cannot be gone through."""
    graph, losses.graph = losses.graph, None
    if not isinstance(graph, Graph):
        raise BenchError("These losses have no graph, or it was spent; take `step.losses()` again.")
    if graph.version != version:
        raise BenchError("These losses are older than an `apply` or a `trial`; take `step.losses()` after it.")
    return graph


@contextmanager
def recomputed() -> Iterator[None]:
    """Raises BenchError where a checkpoint computes something else than the forward did."""
    try:
        yield
    except CheckpointError as error:
        raise BenchError(
            f"A checkpoint cannot repeat its forward: torch says {str(error).splitlines()[0]!r}; leave norms out of "
            'it, or let them follow every forward, repeated ones too: bn_updates="all".'
        ) from error


@contextmanager
def one_by_one(otherwise: str = "let heads share nothing behind the shared tensors") -> Iterator[None]:
    """Raises BenchError where autograd cannot go back from one loss after another; `otherwise` is what to do then."""
    try:
        with recomputed():
            yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        said = str(error).split(". ")[0].rstrip(".")
        advice = next((advice for name, advice in ADVICE.items() if name in str(error)), None)
        raise BenchError(
            f"The gradient of each task alone, which this method takes, cannot be had here: torch says {said!r}; "
            f"{advice or otherwise}; or choose a loss weighting."
        ) from error
