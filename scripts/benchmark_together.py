"""Whether one sweep for all tasks is chosen where it pays: `python scripts/benchmark_together.py`.

Steps MGDA on dense ResNets like that of `rooms`, both ways, in shuffled rounds, and prints the quotient of processor
times for each width, number of tasks, size of images and of batches, with what `pays` says.
"""

import argparse
from itertools import product
from unittest.mock import patch

import torch

from mtl_bench.cost import Workload
from mtl_bench.cost.rounds import ratio, timed
from mtl_bench.methods import MGDA
from mtl_bench.models import DenseResNet
from mtl_bench.step.engines import engine
from mtl_bench.step.engines.together import ALL_FEATURES, cheaper_together, small
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
    for width, k, (height, columns), batch in product(WIDTHS, COUNTS, SIDES, BATCHES):
        entries = batch * width * height // 2 * columns // 2
        if k * entries < MOST:
            torch.manual_seed(0)
            model = DenseResNet(dict.fromkeys(map(str, range(k)), 1), (3, height, columns), width=width, pyramid=width)
            quotient = compared(Workload(model, torch.randn(batch, 3, height, columns)), rounds)
            chosen = small(model.shared_parameters().values()) and cheaper_together(k, entries)
            found[chosen].append(quotient)
            print(f"{width:5d} {k:2d} {height:3d}×{columns:<3d} {batch:6d} {quotient:21.2f}  {chosen}", flush=True)
    for choice, quotients in found.items():
        name = "together" if choice else "apart"
        print(f"{name}: {len(quotients)} shapes, of one after another {min(quotients):.2f} to {max(quotients):.2f}")


def compared(work: Workload, rounds: int) -> float:
    """Time of a step with one sweep, of one with a sweep per task."""
    together = patch.object(engine, "pays", lambda *_: True)(work.stepped(MGDA()))
    apart = patch.object(engine, "pays", lambda *_: False)(work.stepped(MGDA()))
    seconds = timed({"together": together, "apart": apart}, rounds)
    return ratio(seconds["together"], seconds["apart"])


if __name__ == "__main__":
    main()
