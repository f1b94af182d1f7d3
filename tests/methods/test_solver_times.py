"""Solvers take at most 0.3 ms for up to 11 tasks, on a core on which `calibration` takes 0.24 ms.

Processor time, of each problem the best of many rounds: as short a piece of work as the fixed one beside it, so that
whoever else works on the core disturbs both alike. How fast a core is depends on the machine, so every round also times
that fixed piece of work of the same kind (small products, factorizations and least-squares problems, as solvers call
them), and the bar is raised by as much as the best of it lies above its reference; it is never lowered.
0.24 ms: what it takes at best is 0.215 to 0.225 ms on an idle core of a Xeon (x86-64, NumPy's OpenBLAS, one thread),
where the slowest solver, UPGrad's for 11 tasks, takes 0.20 ms.
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
from jaxtyping import Float
from scipy.linalg.lapack import dposv
from scipy.optimize import nnls

from mtl_bench.methods.solvers.alpha_fair import alpha_fair
from mtl_bench.methods.solvers.conflict_averse import conflict_averse
from mtl_bench.methods.solvers.dual_cone import onto_dual_cone
from mtl_bench.methods.solvers.min_norm import min_norm

BAR, REFERENCE = 0.3e-3, 0.24e-3
Gramian = Float[np.ndarray, "k k"]
SOLVERS: dict[str, Callable[[Gramian], object]] = {
    "min-norm": min_norm,
    "nash": lambda gramian: alpha_fair(gramian, 1.0, np.ones(len(gramian))),
    "fairgrad": lambda gramian: alpha_fair(gramian, 2.0, np.ones(len(gramian))),
    "cagrad": lambda gramian: conflict_averse(gramian, 0.4, np.full(len(gramian), 1 / len(gramian))),
    "upgrad": lambda gramian: onto_dual_cone(gramian, np.eye(len(gramian)) / len(gramian)),
    "dualproj": lambda gramian: onto_dual_cone(gramian, np.full((1, len(gramian)), 1 / len(gramian))),
}


def random_gramians(k: int) -> list[Gramian]:
    draw = np.random.default_rng(k)
    drawn = (draw.standard_normal((k, k + 2)) * 10 ** draw.uniform(-0.5, 0.5, (k, 1)) for _ in range(5))
    return [rows @ rows.T for rows in drawn]


def calibration() -> Callable[[], object]:
    rows = np.random.default_rng(0).standard_normal((11, 13))
    gramian = rows @ rows.T

    def work() -> None:
        point = np.ones(11)
        for _ in range(8):
            matrix = gramian.copy()
            matrix.flat[::12] += point
            _, way, _ = dposv(matrix, gramian @ point, overwrite_a=1)
            point = 1 + np.abs(way) / max(float(np.abs(way).max()), 1.0)
            nnls(rows.T, point[0] - rows[0], maxiter=1100)

    return work


def processor_time(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.parametrize("k", [2, 3, 5, 11])
@pytest.mark.parametrize("name", SOLVERS)
def test_within_the_bar(name: str, k: int) -> None:
    gramians, solver, fixed = random_gramians(k), SOLVERS[name], calibration()
    best, usual = np.full(len(gramians), np.inf), np.inf
    for _ in range(1000):  # a busy machine shares its cores between threads: only the best moments say something
        usual = min(usual, processor_time(fixed))
        best = np.minimum(best, [processor_time(lambda gramian=gramian: solver(gramian)) for gramian in gramians])
        if best.mean() <= BAR:
            break
    assert best.mean() <= BAR * max(1.0, usual / REFERENCE)
