"""Whether one sweep for all tasks is chosen where it pays: `python scripts/benchmark_together.py`.

Steps MGDA on dense ResNets like that of `rooms`, both ways, in shuffled rounds, and prints the quotient of processor
times for each width, number of tasks, size of images and of batches, with what `pays` says.
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import product
from unittest.mock import patch

import torch

from mtl_bench.cost import Workload
from mtl_bench.cost.rounds import ratio, timed
from mtl_bench.methods import MGDA
from mtl_bench.models import DenseResNet
from mtl_bench.step.engines import engine
from mtl_bench.step.engines.together import ALL_FEATURES, FEATURES, TASKS, WEIGHT
from mtl_bench.training.freed_memory import keep_freed_memory

WIDTHS, COUNTS, SIDES, BATCHES = (8, 16, 32), (2, 3, 5, 11, 40), ((48, 64), (96, 128)), (4, 8, 16, 32)
MOST = 2 * ALL_FEATURES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds: int = parser.parse_args().rounds
    torch.set_num_threads(1)
    keep_freed_memory()
    print("width  k   image  batch  of one after another  chosen")
    found: dict[bool, list[float]] = {True: [], False: []}
    for work, k, entries in workloads():
        width, (batch, _, height, columns) = (
            work.model.get_parameter("encoder.smooth.weight").shape[0],
            work.image.shape,
        )
        largest = max(parameter.numel() for parameter in work.model.shared_parameters().values())
        chosen = k >= TASKS and largest < WEIGHT and entries < FEATURES and k * entries < ALL_FEATURES
        seconds = timed({name: forced(name == "together", work) for name in ("together", "apart")}, rounds)
        quotient = ratio(seconds["together"], seconds["apart"])
        found[chosen].append(quotient)
        print(f"{width:5d} {k:2d} {height:3d}×{columns:<3d} {batch:6d} {quotient:21.2f}  {chosen}", flush=True)
    for choice, quotients in found.items():
        name = "together" if choice else "apart"
        print(f"{name}: {len(quotients)} shapes, of one after another {min(quotients):.2f} to {max(quotients):.2f}")


def workloads() -> Iterator[tuple[Workload, int, int]]:
    """With the number of tasks and the entries of their shared tensor."""
    for width, k, side, batch in product(WIDTHS, COUNTS, SIDES, BATCHES):
        torch.manual_seed(0)
        outputs = {f"task_{i}": 1 for i in range(k)}
        work = Workload(
            DenseResNet(outputs, (3, *side), width=width, output_stride=8, pyramid=width), torch.randn(batch, 3, *side)
        )
        entries = batch * width * side[0] // 2 * side[1] // 2
        if k * entries < MOST:
            yield work, k, entries


def forced(choice: bool, work: Workload) -> Callable[[], object]:
    step = work.stepped(MGDA())

    def taken() -> None:
        with patch.object(engine, "pays", lambda *_: choice):
            step()

    return taken


if __name__ == "__main__":
    main()
