"""A batch of the validation split, looked at in the middle of training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import TaskGradients, TaskLosses
from mtl_bench.step.engines.graph import Graph, spend
from mtl_bench.step.forward import Part
from mtl_bench.step.means import Means


class HeldOutBatch:
    """`mtl_bench.methods.interface.HeldOutSamples`.

    With several processes each has its part of the batch, as in training.
    """

    def __init__(self, part: Part, means: Means) -> None:
        self.part, self.tasks, self.means = part, part.tasks, means

    def losses(self) -> TaskLosses:
        """Raises BenchError where nobody has said what the losses are computed with."""
        model, with_graph = self.means.mover.module, frozenset(self.tasks)
        if model is None:
            raise BenchError("Held-out samples are looked at in evaluation mode; give Stepper model=.")
        with evaluating(model):
            found = self.part.forward(self.tasks, with_graph)
        values = self.means.reduce.sum(torch.stack([found.terms[task].detach() for task in self.tasks]))
        self.means.ledger.forward(found.passes(self.tasks), share=1.0)
        return TaskLosses(self.tasks, values, Graph.of(found, with_graph, self.means.mover.version))

    def gradient(self, losses: TaskLosses, weights: Float[Tensor, "k"]) -> TaskGradients:
        graph = spend(losses, self.means.mover.version)
        self.means.ledger.backward(graph.passes(losses.tasks), share=1.0)
        factors = weights.detach().to(losses.values, non_blocking=True)
        total = (torch.stack([graph.terms[task] for task in losses.tasks]) * factors).sum()
        # one loss in the place of the first task's, without taps: a single backward through heads and encoder
        first = losses.tasks[0]
        joint = Graph({first: total}, {first: []}, {first: []}, version=graph.version)
        value = (losses.values * factors).sum().reshape(1)
        return self.means.engine("shared").rows(joint, (first,), value, None, _unwritten)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """In evaluation mode; afterwards every module is in the mode that it was in, which need not be the model's."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _unwritten(weights: Tensor | None) -> None:
    raise BenchError("A gradient of held-out samples is there to be compared with others, and is not trained on.")
