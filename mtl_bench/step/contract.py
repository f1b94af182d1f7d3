"""What a user can break without a sign: who reaches which parameter, and by which way. Checked once, by autograd."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.step.engines.graph import Graph
from mtl_bench.step.forward import Forwarded
from mtl_bench.step.ownership import Ownership, reaches

TOLERANCE = 1e-3  # of the larger gradient: fp32 sums in another order differ by 1e-6, a lost path by the path


def check_contract(
    forwarded: Forwarded, ownership: Ownership, parameters: Mapping[str, nn.Parameter], tasks: Sequence[str]
) -> None:
    """Every parameter that a loss reaches is shared or that task's own, and shared ones are reached by the encoder.

    `parameters` by name are all that are trained. The graphs stay. Raises BenchError naming the first parameter that is
    reached otherwise: its gradient would be lost, or belong to another task, without a sign.
    """
    able = {name: parameter for name, parameter in parameters.items() if parameter.requires_grad}
    shared = {id(parameter): name for name, parameter in ownership.shared.items()}
    owners = {id(parameter): task for task, own in ownership.owned.items() for parameter in own}
    for task, term in forwarded.terms.items():
        found = dict(zip(able, reaches(term, list(able.values())), strict=True))
        for name, gradient in found.items():
            if gradient is None or id(able[name]) in shared or owners.get(id(able[name])) == task:
                continue
            owner = owners.get(id(able[name]))
            raise BenchError(_stranger(name, tasks[task], None if owner is None else tasks[owner]))
        if forwarded.features[task]:
            whole = {shared.get(id(able[name])): gradient for name, gradient in found.items()}
            _check_taps(forwarded, task, tasks[task], ownership, whole)


def _stranger(name: str, task: str, owner: str | None) -> str:
    if owner is None:
        return (
            f"Parameter {name} is reached by the loss of task {task} and is neither shared nor one of its own, so its "
            "gradient would be lost; list it where it belongs."
        )
    return (
        f"Parameter {name} belongs to task {owner}, but the loss of task {task} reaches it too, so that its gradient "
        "would be lost; what two tasks use (tied heads included) is shared, and used in the encoder."
    )


def _check_taps(
    forwarded: Forwarded, task: int, called: str, ownership: Ownership, whole: Mapping[str | None, Tensor | None]
) -> None:
    """Gradients through the shared tensors alone are all there is."""
    graph = Graph.of(forwarded, [task], 0)
    taps = [tap for tap in graph.taps[task] if tap.requires_grad]
    arrived = iter(torch.autograd.grad(graph.terms[task], taps, retain_graph=True, allow_unused=True) if taps else [])
    cotangents = [next(arrived) if tap.requires_grad else None for tap in graph.taps[task]]
    names = list(ownership.shared)
    rows = graph.encoder(task, cotangents, [ownership.shared[name] for name in names], keep=True)
    for name, row in zip(names, rows, strict=True):
        total = whole.get(name)
        if total is None:
            continue
        lost = (total - (torch.zeros_like(total) if row is None else row)).norm()
        if lost > TOLERANCE * total.norm():
            raise BenchError(
                f"Parameter {name} is shared and task {called} uses it behind the shared tensors too (in `decode`, or "
                "in its head), where its gradient would be lost; use it in the encoder only, or give each head its own."
            )
