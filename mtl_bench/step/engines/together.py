"""Exact rows by one sweep of the graph for all tasks, of encoders that are known to bear it."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.step.engines.factored import LEAST
from mtl_bench.step.engines.graph import Graph

TASKS = 3  # from which on it pays, with fewer entries than these; measured by scripts/benchmark_together.py
FEATURES, ALL_FEATURES = 2**18, 2**22  # of the shared tensor, once and for each task

Swept = tuple[list[list[Tensor | None]], set[int]]  # gradients of the heads by task; places of parameters reached


def small(parameters: Iterable[nn.Parameter]) -> bool:
    """Whether all are on a CPU and too small for factors."""
    return all(parameter.numel() < LEAST and parameter.device.type == "cpu" for parameter in parameters)


def cheaper_together(k: int, entries: int) -> bool:
    """Whether each operation of a small encoder had better go back for all k tasks before the next does, so that input
    and weight of a layer are fetched once. Its largest tensor is taken to be the shared one, of so many `entries`.
    """
    return k >= TASKS and entries < FEATURES and k * entries < ALL_FEATURES


def pays(graph: Graph, tasks: Sequence[int]) -> bool:
    """Of a batch: whether one sweep can serve all of these tasks, and is cheaper_together."""
    features = graph.features[tasks[0]]
    if len(features) != 1 or any(graph.features[task] is not features for task in tasks):
        return False
    shape = features[0].shape
    return (
        # of one sample, torch's batched backward of a BatchNorm mistakes some memory layouts
        len(shape) > 1
        and shape[0] > 1
        and cheaper_together(len(tasks), shape.numel())
        and not torch.is_anomaly_enabled()  # which reads what cannot be read in such a sweep
    )


def swept_together(
    graph: Graph,
    tasks: tuple[int, ...],
    weights: Float[Tensor, "k"] | None,
    owned: Sequence[list[nn.Parameter]],
    parameters: Sequence[nn.Parameter],
    rows: Float[Tensor, "k P"],
) -> Swept:
    """Fills the rows; for a moment they are there twice."""
    k, gradients, arriving = len(tasks), [], []
    for i, task in enumerate(tasks):
        weight = None if weights is None else weights[i]
        [cotangent], own = graph.heads(task, weight, owned[i], last=task == tasks[-1])
        arriving.append(cotangent)
        gradients.append(own)
        graph.terms[task] = graph.terms[task].detach()  # frees what this head alone kept alive
    found = graph.encoders(tasks, arriving, parameters)
    pairs = zip(parameters, found, strict=True)
    torch.cat([p.new_zeros(k, p.numel()) if g is None else g.reshape(k, -1) for p, g in pairs], dim=1, out=rows)
    return gradients, {place for place, gradient in enumerate(found) if gradient is not None}
