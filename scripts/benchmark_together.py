"""Whether one sweep for all tasks is chosen where it pays: `python scripts/benchmark_together.py`.

Steps MGDA on the dense ResNet of `rooms`, both ways, in shuffled rounds, and prints the quotient of processor times for
each width, number of tasks, size of images and of batches, with what `Together` says.
"""

import argparse
from collections.abc import Callable
from itertools import product
from unittest.mock import patch

import torch

from mtl_bench.cost import Workload
from mtl_bench.cost.rounds import ratio, timed
from mtl_bench.methods import MGDA
from mtl_bench.models import DenseResNet
from mtl_bench.step.engines import together
from mtl_bench.step.engines.together import FEATURES, TASKS, WEIGHT
from mtl_bench.training.freed_memory import keep_freed_memory

WIDTHS, COUNTS, SIDES, BATCHES = (16, 32), (2, 3, 5, 11), ((48, 64), (96, 128)), (4, 8, 16, 32)
EVERY = 2**62  # entries, which all shapes are below


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds: int = parser.parse_args().rounds
    torch.set_num_threads(1)
    keep_freed_memory()
    print("width  k  image  batch  one after another  chosen")
    found: dict[bool, list[float]] = {True: [], False: []}
    for width, k, side, batch in product(WIDTHS, COUNTS, SIDES, BATCHES):
        torch.manual_seed(0)
        model = DenseResNet({f"task_{i}": 1 for i in range(k)}, (3, *side), width=width, output_stride=8, pyramid=16)
        work = Workload(model, torch.randn(batch, 3, *side))
        features = model.encode(work.image)[0].numel()
        largest = max(parameter.numel() for parameter in model.shared_parameters().values())
        chosen = k >= TASKS and largest < WEIGHT and features < FEATURES
        seconds = timed({name: forced(name == "together", work) for name in ("together", "apart")}, rounds)
        found[chosen].append(ratio(seconds["together"], seconds["apart"]))
        image = "×".join(map(str, side))
        print(f"{width:5d} {k:2d} {image:>6} {batch:6d} {found[chosen][-1]:18.2f}  {chosen}", flush=True)
    for choice, quotients in found.items():
        name = "together" if choice else "apart"
        print(f"{name}: {len(quotients)} shapes, of one after another {min(quotients):.2f} to {max(quotients):.2f}")


def forced(choice: bool, work: Workload) -> Callable[[], object]:
    bounds = {"TASKS": 1, "WEIGHT": EVERY, "FEATURES": EVERY} if choice else {"TASKS": EVERY}
    with patch.dict(vars(together), bounds):
        step = work.stepped(MGDA())

    def taken() -> None:
        with patch.dict(vars(together), bounds):
            step()

    return taken


if __name__ == "__main__":
    main()
