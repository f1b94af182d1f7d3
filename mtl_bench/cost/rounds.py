"""Timing of things that are compared: in one process, in shuffled rounds, so that what else runs slows all alike."""

import random
import statistics
import time
from collections.abc import Callable, Mapping

import torch

Steps = Mapping[str, Callable[[], object]]


def timed(steps: Steps, rounds: int, warmup: int = 2, calls: int = 1) -> dict[str, list[float]]:
    """Seconds per call of each, by name: one number per round of `calls` in a row; every round has its own order.

    By the clock of `clock_of_steps`.
    """
    _, clock = clock_of_steps()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    order, shuffle = list(steps), random.Random(0)
    for number in range(warmup + rounds):
        shuffle.shuffle(order)
        for name in order:
            _wait()
            started = clock()
            for _ in range(calls):
                steps[name]()
            _wait()
            if number >= warmup:
                seconds[name].append((clock() - started) / calls)
    return seconds


def clock_of_steps() -> tuple[str, Callable[[], float]]:
    """What it measures, and the clock: processor time where one CPU thread does all the work, which another process
    makes longer by what it takes of the caches alone; else time on the wall.
    """
    alone = not torch.cuda.is_available() and torch.get_num_threads() == 1
    return ("processor time", time.process_time) if alone else ("time on the wall", time.perf_counter)


def ratio(mine: list[float], theirs: list[float]) -> float:
    """Median over rounds of the quotient within a round."""
    return statistics.median(a / b for a, b in zip(mine, theirs, strict=True))


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
