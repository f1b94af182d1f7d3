"""A training by TorchJD's aggregators, through the adapter, beside one by our own methods."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mtl_bench.methods import MGDA, AlignedMTL, DualProj, Method, TorchJD, UPGrad
from tests.methods.toys import toy

pytest.importorskip("torchjd", reason="TorchJD, to compare with, is not installed")

BATCHES = 40
# MGDA: theirs iterates Frank–Wolfe. UPGrad, DualProj: theirs adds `reg_eps` of the trace to the diagonal.
PAIRS: dict[str, tuple[Callable[[], Method], dict[str, Any] | None, float]] = {
    "AlignedMTL": (lambda: AlignedMTL(eps=2.2e-16), None, 1e-9),
    "MGDA": (MGDA, {"epsilon": 1e-9, "max_iters": 20000}, 1e-3),
    "UPGrad": (UPGrad, None, 1e-3),
    "DualProj": (DualProj, None, 1e-3),
}


@pytest.mark.parametrize("absent", [None, 1])
@pytest.mark.parametrize("name", PAIRS)
def test_one_training(name: str, absent: int | None) -> None:
    made, options, tolerance = PAIRS[name]
    ends = []
    for method in (made(), TorchJD(aggregator=name, options=options)):
        problem = toy("sgd", torch.float64, absent=absent)
        start = problem.parameters
        method.setup(problem.context)
        problem.train(method, range(BATCHES))
        ends.append(problem.parameters)
    moved = float((ends[0] - start).norm())
    assert moved > 0.1
    assert float((ends[0] - ends[1]).norm()) <= tolerance * moved
