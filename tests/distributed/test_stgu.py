"""STGU in two processes: each sees its share of a batch, and all track what the whole batch says."""

from pathlib import Path

import numpy as np
import torch
from torch import distributed, multiprocessing

from mtl_bench.methods.interface import TaskLosses
from mtl_bench.methods.stgu import STGU
from tests.methods.toys import context

PROCESSES, BATCHES, TASKS = 2, 40, ("a", "b", "c")


class Shares:
    """A step with given losses: `losses_of[visit]` are those of this process, whatever the method does."""

    tasks: tuple[int, ...] = (0, 1, 2)
    epoch = 0

    def __init__(self, losses_of: torch.Tensor, generator: torch.Generator) -> None:
        self.left, self.generator = iter(losses_of), generator

    def losses(self, tasks: None = None, *, grad: object = True) -> TaskLosses:
        return TaskLosses(self.tasks, next(self.left))

    def backward(self, losses: TaskLosses, weights: torch.Tensor) -> None: ...

    def apply(self, stale: list[int]) -> None: ...


def shares() -> torch.Tensor:
    """[process, batch, visit, task], far from alike in the two processes."""
    draw = torch.Generator().manual_seed(0)
    return torch.rand(PROCESSES, BATCHES, len(TASKS), len(TASKS), generator=draw, dtype=torch.float64) + 0.5


def tracked(losses: torch.Tensor) -> tuple[np.ndarray, list[list[int]]]:
    """Affinities and groups after training on `losses`, [batch, visit, task]."""
    method = STGU(decay=0.1, warmup=BATCHES // 2)
    method.setup(context(tasks=TASKS))
    generator = torch.Generator().manual_seed(1)
    for batch in losses:
        method.update(Shares(batch, generator))  # type: ignore[arg-type]
    return method.tracker.matrix, method.partition


def in_one_process(rank: int, folder: str) -> None:
    distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=PROCESSES)
    torch.save(tracked(shares()[rank]), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_losses_are_averaged_over_processes_before_the_affinity(tmp_path: Path) -> None:
    multiprocessing.spawn(in_one_process, (str(tmp_path),), nprocs=PROCESSES)
    matrix, groups = tracked(shares().mean(dim=0))
    alone, _ = tracked(shares()[0])
    assert np.abs(alone - matrix).max() > 0.01, "the shares must differ for this test to mean anything"
    for rank in range(PROCESSES):
        found, found_groups = torch.load(tmp_path / f"{rank}.pt", weights_only=False)
        np.testing.assert_allclose(found, matrix, rtol=0, atol=1e-12)
        assert found_groups == groups
