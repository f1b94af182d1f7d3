"""Whether factors are chosen where they pay: `python scripts/benchmark_factors.py`.

Steps MGDA on a network with one large weight [out, d], its gradients in factors and as rows, in shuffled rounds, and
prints the quotient of processor times for each number of tasks and of positions, with what `worthwhile` says.
"""

import argparse
from unittest.mock import patch

import torch

from mtl_bench.cost import Workload
from mtl_bench.cost.rounds import ratio, timed
from mtl_bench.methods import MGDA
from mtl_bench.models import MLP
from mtl_bench.step.engines import factored
from mtl_bench.step.engines.factored import worthwhile
from mtl_bench.training.freed_memory import keep_freed_memory

WEIGHTS = ((512, 512), (2048, 512), (1024, 1024), (256, 2048), (2048, 2048), (512, 4608))  # out, d
TASKS = (2, 3, 5, 10, 40)
SHARES = (0.02, 0.1, 0.2)  # positions, of d
MOST = 3e8  # entries of all rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds: int = parser.parse_args().rounds
    keep_freed_memory()
    print("  k     n   out     d  of rows  chosen")
    chosen: list[float] = []
    left: list[float] = []
    for out, d in WEIGHTS:
        for k in (k for k in TASKS if k * out * d < MOST):
            for n in (max(2, int(d * share)) for share in SHARES):
                quotient = compared(k, n, out, d, rounds)
                (chosen if worthwhile(k, n, out, d) else left).append(quotient)
                print(f"{k:3d} {n:5d} {out:5d} {d:5d} {quotient:8.2f}  {worthwhile(k, n, out, d)}", flush=True)
    for name, found in (("in factors", chosen), ("as rows", left)):
        print(f"{name}: {len(found)} shapes, of rows {min(found):.2f} to {max(found):.2f}")


def compared(k: int, n: int, out: int, d: int, rounds: int) -> float:
    """Time of a step in factors, of one as rows."""
    torch.manual_seed(0)
    model = MLP(dict.fromkeys([f"task_{i}" for i in range(k)], 1), (1, 4, 4), [d, out])
    work = Workload(model, torch.randn(n, 1, 4, 4))
    factors = patch.object(factored, "worthwhile", lambda *_: True)(work.stepped(MGDA()))
    rows = patch.object(factored, "worthwhile", lambda *_: False)(work.stepped(MGDA()))
    seconds = timed({"factors": factors, "rows": rows}, rounds)
    return ratio(seconds["factors"], seconds["rows"])


if __name__ == "__main__":
    main()
