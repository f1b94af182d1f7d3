"""Exact rows by one sweep of the graph for all tasks, of models that are known to bear it."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.step.buffers import RowBuffers
from mtl_bench.step.engines.flat import FlatRows
from mtl_bench.step.engines.graph import Graph
from mtl_bench.step.engines.rows import HeadGradients
from mtl_bench.step.ownership import Ownership

TASKS = 3  # from which on it pays, with fewer entries than these; measured by scripts/benchmark_together.py
WEIGHT, FEATURES, ALL_FEATURES = 2**18, 2**18, 2**22  # of one weight; of the shared tensor, once and for each task


def pays(graph: Graph, tasks: Sequence[int], parameters: Sequence[nn.Parameter]) -> bool:
    """Whether each operation of the encoder had better go back for all tasks before the next does, so that input and
    weight of a small layer are fetched once. Of an encoder whose largest tensor is the shared one.
    """
    features = graph.features[tasks[0]]
    if len(tasks) < TASKS or len(features) != 1 or any(graph.features[task] is not features for task in tasks):
        return False
    entries = features[0].numel()
    return (
        entries < FEATURES
        and entries * len(tasks) < ALL_FEATURES
        # of one sample, torch's batched backward of a BatchNorm mistakes some memory layouts
        and features[0].ndim > 1
        and len(features[0]) > 1
        and len(parameters) > 0
        and all(parameter.numel() < WEIGHT and parameter.device.type == "cpu" for parameter in parameters)
        and not torch.is_anomaly_enabled()  # which reads what cannot be read in such a sweep
    )


def rows_together(
    graph: Graph,
    tasks: tuple[int, ...],
    values: Float[Tensor, "k"],
    weights: Float[Tensor, "k"] | None,
    ownership: Ownership,
    buffers: RowBuffers,
    on_write: Callable[[Float[Tensor, "k"] | None], None],
) -> FlatRows:
    """What `flat_rows` fills.

    Cost: every head backward once and k encoder backwards in one sweep; for a moment the rows twice.
    """
    parameters = list(ownership.shared.values())
    buffer = buffers.free(len(tasks))
    heads = HeadGradients([ownership.owned[task] for task in tasks], [])
    arriving = []
    for i, task in enumerate(tasks):
        weight = None if weights is None else weights[i]
        [cotangent], own = graph.heads(task, weight, ownership.owned[task], last=task == tasks[-1])
        arriving.append(cotangent)
        heads.gradients.append(own)
        graph.terms[task] = graph.terms[task].detach()  # frees what this head alone kept alive
    found = graph.encoders(tasks, arriving, parameters)
    k = len(tasks)
    filled = [
        p.new_zeros(k, p.numel()) if g is None else g.reshape(k, -1) for p, g in zip(parameters, found, strict=True)
    ]
    torch.cat(filled, dim=1, out=buffer.matrix)
    reached = {place for place, gradients in enumerate(found) if gradients is not None}
    values = values if weights is None else values * weights
    rows = FlatRows(tasks, values, heads, ownership.shared, buffers, buffer, {}, reached, on_write)
    buffers.give(buffer, rows)
    return rows
