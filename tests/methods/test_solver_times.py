"""Solvers take at most 0.3 ms for up to 11 tasks: processor time, the best of many rounds."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from jaxtyping import Float

from mtl_bench.methods.solvers.alpha_fair import alpha_fair
from mtl_bench.methods.solvers.conflict_averse import conflict_averse
from mtl_bench.methods.solvers.dual_cone import onto_dual_cone
from mtl_bench.methods.solvers.min_norm import min_norm

BAR = 0.3e-3
Gramian = Float[np.ndarray, "k k"]
SOLVERS: dict[str, Callable[[Gramian], object]] = {
    "min-norm": min_norm,
    "nash": lambda gramian: alpha_fair(gramian, 1.0, np.ones(len(gramian))),
    "fairgrad": lambda gramian: alpha_fair(gramian, 2.0, np.ones(len(gramian))),
    "cagrad": lambda gramian: conflict_averse(gramian, 0.4, np.full(len(gramian), 1 / len(gramian))),
    "upgrad": lambda gramian: onto_dual_cone(gramian, np.eye(len(gramian)) / len(gramian)),
    "dualproj": lambda gramian: onto_dual_cone(gramian, np.full((1, len(gramian)), 1 / len(gramian))),
}


@pytest.mark.parametrize("k", [2, 3, 5, 11])
@pytest.mark.parametrize("name", SOLVERS)
def test_within_the_bar(name: str, k: int) -> None:
    draw = np.random.default_rng(k)
    gramians = []
    for _ in range(5):
        rows = draw.standard_normal((k, k + 2)) * 10 ** draw.uniform(-0.5, 0.5, (k, 1))
        gramians.append(rows @ rows.T)
    best = np.inf
    for _ in range(60):  # a busy machine shares its cores between threads: only the best round says something
        start = time.process_time()
        for gramian in gramians:
            SOLVERS[name](gramian)
        best = min(best, (time.process_time() - start) / len(gramians))
        if best <= BAR / 2:
            break
    assert best <= BAR
