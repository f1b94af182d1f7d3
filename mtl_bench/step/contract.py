"""What a user can break without a sign: which loss reaches which parameter, and by which way. Checked once."""

from collections.abc import Mapping, Sequence

from torch import nn

from mtl_bench.errors import BenchError
from mtl_bench.step.forward import Forwarded
from mtl_bench.step.ownership import Ownership
from mtl_bench.step.reach import compiled_together, computed_from, entering_behind, leaves_of, overwritten


def check_contract(
    forwarded: Forwarded, ownership: Ownership, parameters: Mapping[str, nn.Parameter], tasks: Sequence[str]
) -> None:
    """Every parameter that a loss reaches is shared or that task's own, and shared ones are reached by the encoder.

    `parameters` by name are all that are trained. Raises BenchError naming the first parameter that is
    reached otherwise: its gradient would be lost, or belong to another task, without a sign; where no loss reaches
    anything shared; and where a shared tensor is computed from the tap of another, through which its gradient would
    count twice. What a compiled graph of several losses hides is taken as listed.
    """
    for features, taps in {id(f): (f, forwarded.taps[task]) for task, f in forwarded.features.items()}.values():
        if any(computed_from(feature, taps) for feature in features):
            raise BenchError(
                "features= names two modules of which one computes its output from that of the other (or one module "
                "twice), so that gradients would count twice; name only the first, or one module that returns all "
                "that the heads read in a list."
            )
    reached = set[int]()
    hidden = compiled_together(list(forwarded.terms.values()))
    able = {id(parameter): name for name, parameter in parameters.items() if parameter.requires_grad}
    shared = {id(parameter) for parameter in ownership.shared.values()}
    owners = {id(parameter): task for task, own in ownership.owned.items() for parameter in own}
    for task, term in forwarded.terms.items():
        whole, behind = leaves_of(term), set[int]()
        sure = leaves_of(term, behind=hidden) if hidden else whole
        reached |= whole
        if forwarded.features[task]:
            behind = leaves_of(term, forwarded.taps[task])
        for parameter, name in able.items():
            owner = owners.get(parameter)
            strange = parameter in (whole if owner is None else sure)
            if strange and parameter not in shared and owner != task:
                raise BenchError(_stranger(name, tasks[task], None if owner is None else tasks[owner]))
            if parameter in behind and parameter in shared:
                raise BenchError(_behind(name, tasks[task], any(map(overwritten, forwarded.features[task]))))
    if shared and not shared & reached:
        raise BenchError(
            "No loss reaches a shared parameter, although they require a gradient; take the detach, the no_grad or the "
            "checkpoint with use_reentrant=True off their way, or freeze them with requires_grad_(False)."
        )


def check_last_shared(forwarded: Forwarded, last: nn.Parameter, shared: Mapping[str, nn.Parameter]) -> None:
    """Raises BenchError where `last` is not what it is taken for: every loss reaches it, and no other layer follows."""
    name = next(name for name, parameter in shared.items() if parameter is last)
    taken = f"Parameter {name} is taken for the last shared layer, at which this method balances, but"
    use = "or use at=shared"
    if any(id(last) not in leaves_of(term) for term in forwarded.terms.values()):
        raise BenchError(
            f"{taken} not every loss reaches it; take a layer that nothing uses out of the model (and of shared=), let "
            f"the model's `last_shared` name another, {use}."
        )
    roots = [feature for features in forwarded.features.values() for feature in features]
    behind = entering_behind(roots or list(forwarded.terms.values()), last)
    for other, parameter in shared.items():
        if parameter.ndim > 1 and id(parameter) in behind:
            raise BenchError(
                f"{taken} {other} follows it in the forward; register layers (list shared=) in the order of the "
                f"forward, let the model's `last_shared` name the last, {use}."
            )


def _behind(name: str, task: str, written: bool) -> str:
    if written:
        return (
            f"A shared tensor is overwritten in place after the loss of task {task} has read it, as a head does that "
            "begins with nn.ReLU(inplace=True); take inplace=True out of it."
        )
    return (
        f"Parameter {name} is shared and task {task} uses it behind the shared tensors too (in `decode`, or in its "
        "head), where its gradient would be lost; use it in the encoder only, or give each head its own."
    )


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
