"""One vector of priorities, by name, of which the ratios count."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Step
from mtl_bench.methods.priorities import Prioritised
from tests.methods.toys import context


@dataclass(kw_only=True, eq=False)
class Chosen(Prioritised):
    natural_sum: ClassVar[None] = None

    def update(self, step: Step) -> None: ...


def chosen(priorities: dict[str, float] | None) -> Chosen:
    method = Chosen(priorities=priorities)
    method.setup(context())
    return method


def test_only_ratios_count_and_the_rest_has_one() -> None:
    for scale in (1, 0.1, 40):
        given = chosen({"shape": 3 * scale, "depth": scale, "colour": scale})
        assert given.preference((0, 1, 2), 3).tolist() == pytest.approx([0.6, 0.2, 0.2])
    assert chosen({"shape": 3}).preference((0, 1, 2), 3).tolist() == pytest.approx([0.6, 0.2, 0.2])


def test_of_the_tasks_in_a_batch() -> None:
    method = chosen({"shape": 3, "colour": 0})
    assert method.preference((0, 1), 2).tolist() == [0.75, 0.25]
    assert method.preference((1, 2), 2).tolist() == [1, 0]
    assert method.preference((2,), 1).tolist() == [0], "it asks for no step"


def test_without_any_all_are_equal() -> None:
    assert chosen(None).preference((0, 2), 2).tolist() == [0.5, 0.5]
    assert torch.equal(Chosen().preference(None, 4), torch.full((4,), 0.25, dtype=torch.float64))


def test_names_are_needed() -> None:
    with pytest.raises(BenchError, match="priorities go by the names of tasks"):
        Chosen(priorities={"shape": 2}).preference(None, 3)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_what_is_no_priority(value: float) -> None:
    with pytest.raises(BenchError, match="finite, not negative, and not all 0"):
        chosen({"shape": value})


def test_all_zero() -> None:
    with pytest.raises(BenchError, match="not all 0"):
        chosen(dict.fromkeys(("shape", "depth", "colour"), 0))


def test_unknown_task() -> None:
    with pytest.raises(BenchError, match="priorities name color, but the tasks are shape, depth, colour"):
        chosen({"color": 2})
