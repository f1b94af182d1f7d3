"""wPCGrad: both variants, who yields, static and dynamic chances."""

from collections import Counter
from itertools import permutations

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods import GramianProblem, WPCGrad
from mtl_bench.methods.wpcgrad import drawn
from tests.methods.toys import context, gramian_of

DOUBLE = torch.float64
ALL = (0, 1, 2)
CONFLICTING = torch.tensor([[1.0, 0.0, 0.2], [-0.9, 0.5, 0.0], [-0.4, -1.0, 0.3]], dtype=DOUBLE)


def prioritised(priorities: dict[str, float], **options: object) -> WPCGrad:
    method = WPCGrad(priorities=priorities, **options)  # type: ignore[arg-type]
    method.setup(context())
    return method


def off(p: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return p - min(0.0, float(p @ other)) / (other @ other) * other


@pytest.mark.parametrize("variant", ["order", "protected"])
def test_without_conflict_it_is_the_sum(variant: str) -> None:
    rows = torch.rand(5, 9, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    weights = WPCGrad(variant=variant).weights(rows @ rows.T, generator=torch.Generator())  # type: ignore[arg-type]
    assert torch.equal(weights, torch.ones(5, dtype=DOUBLE))


def test_later_tasks_of_the_order_yield_to_earlier_ones() -> None:
    rows, reached = CONFLICTING, set()
    expected = {}
    for order in permutations(ALL):
        total = torch.zeros(3, dtype=DOUBLE)
        for place, task in enumerate(order):
            p = rows[task].clone()
            for before in order[:place]:
                p = off(p, rows[before])
            total += p
        expected[tuple(total.round(decimals=9).tolist())] = order
    draw = torch.Generator().manual_seed(0)
    for _ in range(100):
        found = WPCGrad().weights(rows @ rows.T, generator=draw) @ rows
        reached.add(expected[tuple(found.round(decimals=9).tolist())])
    assert len(reached) == 6


@pytest.mark.parametrize("protected", range(3))
def test_the_protected_task_is_never_conflicted_with(protected: int) -> None:
    names = ("shape", "depth", "colour")
    method = prioritised({name: float(k == protected) for k, name in enumerate(names)}, variant="protected")
    for seed in range(200):
        rows = torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
        found = method.weights(rows @ rows.T, tasks=ALL, generator=torch.Generator()) @ rows
        others = [off(row, rows[protected]) for k, row in enumerate(rows) if k != protected]
        assert_close(found, rows[protected] + sum(others))
        assert found @ rows[protected] >= rows[protected] @ rows[protected] * (1 - 1e-9)


def test_the_rest_may_be_projected_too() -> None:
    first = prioritised({"depth": 0.0, "colour": 0.0}, variant="protected", rest=True)
    found = first.weights(CONFLICTING @ CONFLICTING.T, tasks=ALL, generator=torch.Generator()) @ CONFLICTING
    shape, depth, colour = CONFLICTING
    expected = shape + off(off(depth, shape), colour) + off(off(colour, shape), depth)
    assert_close(found, expected)


@pytest.mark.parametrize("variant", ["order", "protected"])
def test_with_two_tasks_a_certain_one_is_spared(variant: str) -> None:
    for seed in range(100):
        gramian = gramian_of(2, 2, seed)
        method = WPCGrad(variant=variant, priorities={"shape": 1, "depth": 0})  # type: ignore[arg-type]
        method.setup(context(("shape", "depth")))
        weights = method.weights(gramian, tasks=(0, 1), generator=torch.Generator().manual_seed(seed))
        assert (gramian @ weights)[0] >= 0
        assert weights[1] == 1


def test_a_higher_priority_keeps_more_of_its_gradient() -> None:
    gramian, gains = CONFLICTING @ CONFLICTING.T, []
    for priority in (0.1, 1, 10):
        method, draw = prioritised({"shape": priority}), torch.Generator().manual_seed(0)
        found = [(gramian @ method.weights(gramian, tasks=ALL, generator=draw))[0] for _ in range(500)]
        gains.append(float(torch.stack(found).mean()))
    assert gains == sorted(gains)
    assert gains[-1] > gains[0] + 0.05


def test_orders_are_drawn_without_replacement_by_their_chances() -> None:
    chances, draw = torch.tensor([0.6, 0.3, 0.1], dtype=DOUBLE), torch.Generator().manual_seed(0)
    count = 4000
    seen = Counter(tuple(drawn(chances, draw)) for _ in range(count))
    for order in permutations(ALL):
        first, second, _ = (chances[k].item() for k in order)
        expected = first * second / (1 - first)
        assert abs(seen[order] / count - expected) < 5 * (expected / count) ** 0.5
    last = Counter(tuple(drawn(torch.tensor([0.0, 1.0, 0.0], dtype=DOUBLE), draw)) for _ in range(200))
    assert set(last) == {(1, 0, 2), (1, 2, 0)}


def test_dynamic_chances_follow_the_losses() -> None:
    method = WPCGrad(gamma=2.0)
    method.setup(context())
    problem = GramianProblem(gramian_of(3, 4, 0), tasks=ALL)
    assert_close(method.chances(problem), torch.full((3,), 1 / 3, dtype=DOUBLE))
    method.end_epoch(torch.tensor([1.0, 2.0, 3.0]))
    assert_close(method.chances(problem), torch.tensor([1.0, 4.0, 9.0], dtype=DOUBLE) / 14)
    method.end_epoch(torch.tensor([2.0, float("nan"), 1.0]))
    assert_close(method.chances(problem), torch.tensor([4.0, 4.0, 1.0], dtype=DOUBLE) / 9)


def test_what_it_refuses() -> None:
    with pytest.raises(BenchError, match="either priorities or gamma"):
        prioritised({"shape": 2}, gamma=1.0)
    with pytest.raises(BenchError, match=r"method\.gamma must be finite"):
        WPCGrad(gamma=float("nan")).setup(context())


def test_tasks_that_never_had_a_mean_have_equal_chances() -> None:
    method = WPCGrad(gamma=2.0)
    method.setup(context())
    method.end_epoch(torch.tensor([torch.nan, torch.nan, 4.0], dtype=DOUBLE))
    chances = method.chances(GramianProblem(torch.eye(2, dtype=DOUBLE), tasks=(0, 1)))
    assert chances.tolist() == [0.5, 0.5]
    assert method.chances(GramianProblem(torch.eye(3, dtype=DOUBLE), tasks=ALL)).tolist() == pytest.approx([1 / 3] * 3)
