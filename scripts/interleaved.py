"""Timing of things that are compared: in turns in one process, so that what else the machine does slows all alike."""

import time
from collections.abc import Callable, Sequence

import torch


def interleaved(runs: Sequence[Callable[[], object]], blocks: int, steps: int, warmup: int) -> list[list[float]]:
    """Seconds per call of each: one number per block of `steps` calls, after `warmup` blocks that are not counted."""
    seconds: list[list[float]] = [[] for _ in runs]
    for block in range(warmup + blocks):
        for run, kept in zip(runs, seconds, strict=True):
            _wait()
            started = time.perf_counter()
            for _ in range(steps):
                run()
            _wait()
            if block >= warmup:
                kept.append((time.perf_counter() - started) / steps)
    return seconds


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
