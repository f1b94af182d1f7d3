"""Whether what a loop of one's own hands over can be meant."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.kinds import distinct_places, shown
from mtl_bench.methods.base import Method
from mtl_bench.step.forward import Part
from mtl_bench.step.mover import needs_closure

LIKELIHOODS = ("classification", "regression")
BN_UPDATES = ("first", "all")


def check_saved(state: Mapping[str, Any], method: Method, count: int) -> None:
    """Raises BenchError for the state of a stepper of another method or number of tasks, or before its first batch."""
    name = type(method).__name__
    if state.get("name", name) != name:
        raise BenchError(f"This is the state of {state['name']}, not of {name}; make a stepper of that method.")
    if "method" not in state:
        raise BenchError("This is the state of a stepper before its first batch; there is nothing to load.")
    saved = state["epoch_means"].shape[-1]
    if saved != count:
        raise BenchError(
            f"This is the state of a stepper of {saved} tasks, and here are {count}; give it the same losses."
        )


def chosen_tasks(tasks: Iterable[int] | None, count: int) -> tuple[int, ...]:
    """Those with a label in a batch, in order; None: all. Raises BenchError for anything but their numbers.

    Arrays and tensors of numbers will do; a mask will not, for with two tasks it reads like numbers.
    """
    if tasks is None:
        return tuple(range(count))
    chosen = distinct_places(tasks)
    if chosen is None or max(chosen, default=0) >= count:
        raise BenchError(
            f"tasks= names those with a label by number, once each, from 0 to {count - 1}, and is no mask; got {tasks}."
        )
    return tuple(sorted(chosen))


def splitter(split: object, part: Callable[[Any], Part]) -> Callable[[int], list[Part]] | None:
    """`split`, each of whose parts goes through `part`. Raises BenchError for what is no function, and when it gives
    another number of parts than it is asked for, as `chunk` does with a small batch."""
    if split is None:
        return None
    if not callable(split):
        raise BenchError(
            f"split= is a function of a number that gives the losses of so many parts; got {shown(split)}."
        )

    def parts(count: int) -> list[Part]:
        found = split(count)
        if not isinstance(found, Iterable) or isinstance(found, Tensor):
            raise BenchError(f"split=({count}) gave {shown(found)}; return a list with the losses of {count} parts.")
        listed = list(found)
        if len(listed) != count:
            raise BenchError(
                f"split=({count}) gave {len(listed)} parts; return the losses of {count} parts that hold every sample "
                "once, or leave so small a batch out."
            )
        return [part(each) for each in listed]

    return parts


def check_options(
    method: Method,
    optimizer: torch.optim.Optimizer,
    tasks: Sequence[str] | None,
    likelihoods: Sequence[str],
    clip_norm: float | None,
    bn_updates: str,
) -> None:
    """Raises BenchError for the first option that cannot."""
    if not isinstance(method, Method):
        name = method.__name__ if isinstance(method, type) else type(method).__name__
        raise BenchError(f"Stepper takes a method that was made, with its parentheses; got {name}.")
    if needs_closure(optimizer):
        raise BenchError(
            f"{type(optimizer).__name__} runs forwards within its step, which methods here do themselves; choose "
            "one that steps on given gradients, such as torch.optim.AdamW."
        )
    if any(group.get("fused") and group.get("momentum") and group.get("dampening") for group in optimizer.param_groups):
        raise BenchError(
            "Fused SGD starts a momentum at 0 here (a task may join later), which dampening would make a shorter first "
            "step; choose fused=False, or dampening=0."
        )
    names = list(tasks or ())
    if twice := next((name for place, name in enumerate(names) if name in names[:place]), None):
        raise BenchError(f"tasks= names {twice} twice; give each loss a name of its own.")
    if unknown := next((kind for kind in likelihoods if kind not in LIKELIHOODS), None):
        raise BenchError(f"A likelihood is one of {', '.join(LIKELIHOODS)}; got {unknown!r}.")
    if clip_norm is not None and not 0 < clip_norm < math.inf:
        raise BenchError(f"clip_norm is positive and finite, or None for no clipping; got {clip_norm}.")
    if bn_updates not in BN_UPDATES:
        raise BenchError(f"bn_updates is one of {', '.join(BN_UPDATES)}; got {bn_updates!r}.")
