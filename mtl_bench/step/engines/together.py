"""Exact rows by one sweep of the graph for all tasks, with models that say they bear it."""

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
WEIGHT, FEATURES = 2**18, 2**18


class Together:
    """Whether one sweep serves all tasks: each operation of the encoder goes back for all of them before the next does,
    so that input and weight of a small layer are fetched once.

    Only with a model of ours whose own class sets `sweeps_together`, of torch's layers and ours, and while nobody's
    hook would see the gradients of all tasks as one. `parameters` are the shared ones.
    """

    def __init__(self, model: nn.Module | None, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        modules = [] if model is None else list(model.modules())
        own = set() if model is None else {id(parameter) for parameter in model.parameters()}
        self.able = (
            bool(vars(type(model)).get("sweeps_together"))
            and all(type(module).__module__.startswith(("torch.nn.", "mtl_bench.")) for module in modules)
            and not any(module._compiled_call_impl for module in modules)
            and all(id(p) in own and p.numel() < WEIGHT and p.device.type == "cpu" for p in parameters)
        )
        # the dictionaries themselves: they are looked at in every batch
        self.forward_hooks = [module._forward_hooks for module in modules]
        self.backward_hooks = [h for module in modules for h in (module._backward_hooks, module._backward_pre_hooks)]

    def pays(self, graph: Graph, tasks: Sequence[int]) -> bool:
        if not (self.able and len(tasks) >= TASKS):
            return False
        features = graph.features[tasks[0]]
        alike = all(graph.features[task] is features for task in tasks)
        return alike and len(features) == 1 and features[0].numel() < FEATURES and not self._hooked()

    def _hooked(self) -> bool:
        """By somebody else: norms and taps have hooks of ours."""
        inside = (hook.__module__ for hooks in self.forward_hooks if hooks for hook in hooks.values())
        return (
            any(self.backward_hooks)
            or any(parameter._backward_hooks for parameter in self.parameters)
            or not all(name.startswith("mtl_bench.") for name in inside)
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
    """What `flat_rows` fills, to the last bit.

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
