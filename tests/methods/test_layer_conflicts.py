"""Conflicts by layer: against autograd and loops over pairs, and that training is what it was."""

from itertools import combinations
from typing import Any

import pytest
import torch
from torch.nn.functional import cosine_similarity

from mtl_bench.errors import BenchError
from mtl_bench.methods import CAGrad, LinearScalarization, PCGrad
from mtl_bench.methods.graddrop import GradDrop
from mtl_bench.methods.layer_conflicts import LayerConflicts
from mtl_bench.methods.moco import MoCo
from mtl_bench.methods.uw import UncertaintyWeighting
from tests.methods.toys import Toy, context, toy


def measuring(problem: Toy, **options: Any) -> LayerConflicts:
    method = LayerConflicts(**options)
    method.setup(problem.context)
    return method


def by_hand(problem: Toy, batch: int, severity: float) -> tuple[dict[str, int], int]:
    """One autograd call per task, one comparison per pair and layer; a weight and its bias are one vector."""
    rows, start, pieces = problem.task_gradients(batch), 0, {}
    for name, parameter in problem.machine.shared.items():
        pieces.setdefault(name.rpartition(".")[0], []).append(rows[:, start : start + parameter.numel()])
        start += parameter.numel()
    found = {}
    pairs = list(combinations(range(len(rows)), 2))
    for layer, parts in pieces.items():
        whole = torch.cat(parts, dim=1)
        found[layer] = sum(float(cosine_similarity(whole[i], whole[j], dim=0)) < severity for i, j in pairs)
    return found, len(pairs)


@pytest.mark.parametrize("severity", [0.0, -0.05, 0.3])
@pytest.mark.parametrize("absent", [None, 2])
def test_counts_are_those_of_brute_force(severity: float, absent: int | None) -> None:
    problem = toy(dtype=torch.float64, convolution=True, absent=absent)
    method = measuring(problem, severity=severity)
    expected: dict[str, int] = dict.fromkeys(method.layers, 0)
    pairs = 0
    for batch in range(8):
        counted, of = by_hand(problem, batch, severity)
        expected = {name: count + counted[name] for name, count in expected.items()}
        pairs += of
        method.update(problem.step(batch))
    found = method.findings()
    assert dict(zip(found["layers"], found["conflicts"], strict=True)) == expected
    assert found["pairs"] == pairs == (24 if absent is None else 4 * 3 + 4 * 1)
    assert 0 < sum(expected.values()) < pairs * len(expected)


@pytest.mark.parametrize("by", [None, PCGrad, CAGrad, lambda: PCGrad(weighting=UncertaintyWeighting())])
def test_trains_as_what_trains(by: Any) -> None:
    plain, measured = toy(dtype=torch.float64), toy(dtype=torch.float64)
    method: Any = by() if by else LinearScalarization()
    method.setup(plain.context)
    plain.train(method, range(6))
    measured.train(measuring(measured, train_by=by() if by else None), range(6))
    torch.testing.assert_close(measured.parameters, plain.parameters)


def test_weights_of_the_losses_change_no_count() -> None:
    counts = []
    for weighting in (None, LinearScalarization(priorities={"depth": 100.0})):
        problem = toy(dtype=torch.float64)
        method = measuring(problem, severity=0.0, weighting=weighting)
        method.update(problem.step(0))
        counts.append(method.findings())
    assert counts[0] == counts[1]


def test_a_task_without_a_gradient_conflicts_with_nobody() -> None:
    problem = toy()
    method = measuring(problem, severity=1.0)
    with torch.no_grad():
        for parameter in problem.machine.owned[1]:
            parameter.zero_()
    method.update(problem.step(0))
    assert set(method.conflicts.tolist()) == {1}  # the pair of the two others; below 1 is every pair


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"severity": -1.0}, "severity is a cosine above −1 and at most 1, got -1.0"),
        ({"train_by": GradDrop()}, "GradDrop takes others or a step of its own"),
        ({"train_by": MoCo()}, "MoCo takes others or a step of its own"),
        ({"train_by": PCGrad(), "weighting": UncertaintyWeighting()}, "give the weighting to train_by"),
    ],
    ids=["severity", "at features", "a step of its own", "two weightings"],
)
def test_refuses(options: dict[str, Any], said: str) -> None:
    with pytest.raises(BenchError, match=said):
        LayerConflicts(**options).setup(context(shared={"a.weight": torch.Size([2, 2])}))
