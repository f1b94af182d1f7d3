"""Every method's step beside a plain one and beside K backward passes."""

import statistics
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mtl_bench.cost.memory import peak_bytes
from mtl_bench.cost.rounds import ratio, timed
from mtl_bench.cost.workload import Workload
from mtl_bench.errors import BenchError, unforeseen
from mtl_bench.methods import Method

PLAIN, K_BACKWARD = "plain sum", "K backwards"


class StepCost(NamedTuple):
    """Of one step: seconds (median), its ratio to a plain step and to K backward passes; bytes above a plain step, both
    at their first, which allocates what they keep.
    """

    seconds: float
    over_plain: float
    over_k_backward: float
    memory: int


def measure(
    workload: Workload,
    methods: Mapping[str, Callable[[], Method]],
    rounds: int = 15,
    others: Mapping[str, Callable[[], object]] | None = None,
) -> tuple[dict[str, StepCost], dict[str, str]]:
    """Costs by name, the two that all are compared with first; and why a method has none.

    `others` are steps on the same workload that are measured along. Raises BenchError where no step can be taken.
    """
    try:
        workload.plain()()  # what libraries allocate once is nobody's
    except Exception as error:  # torch says "Expected more than 1 value per channel", a user's layer anything
        shape, name = "×".join(map(str, workload.image.shape)), type(workload.model).__name__
        raise BenchError(
            f"{name} cannot train on a batch of {shape} ({unforeseen(error)}); choose another batch or shape."
        ) from error
    steps = {PLAIN: workload.plain(), K_BACKWARD: workload.k_backward(), **(others or {})}
    memory = {name: peak_bytes(step, workload.image.device) for name, step in steps.items()}
    refused = {}
    for name, made in methods.items():
        try:
            step = workload.stepped(made())
            memory[name] = peak_bytes(step, workload.image.device)
        except BenchError as error:
            refused[name] = str(error)
        else:
            steps[name] = step
    seconds = timed(steps, rounds)
    costs = {
        name: StepCost(
            statistics.median(found),
            ratio(found, seconds[PLAIN]),
            ratio(found, seconds[K_BACKWARD]),
            memory[name] - memory[PLAIN],
        )
        for name, found in seconds.items()
    }
    return costs, refused
