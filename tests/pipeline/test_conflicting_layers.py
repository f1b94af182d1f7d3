"""Layers from counts."""

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.pipeline.conflicting_layers import conflict_scores, most_conflicting
from tests.pipeline.made_up import record

LAYERS = ["a", "b", "c"]


def counted(*conflicts: int, pairs: int = 10) -> dict[str, object]:
    return {"epoch": 1, "layers": [*LAYERS, "positions"], "conflicts": [*conflicts, 9], "pairs": pairs}


def test_the_last_counts_of_all_seeds_add_up() -> None:
    runs = [record({"x": 1.0}, [counted(0, 0, 0), counted(1, 5, 2)]), record({"x": 1.0}, [counted(2, 0, 1, pairs=7)])]
    assert conflict_scores(runs, LAYERS) == ({"a": 3, "b": 5, "c": 3}, 17)


@pytest.mark.parametrize("findings", [[], [{"epoch": 1, "affinity": [[0.0]]}]])
def test_a_run_that_counted_nothing_is_named(findings: list[dict[str, object]]) -> None:
    with pytest.raises(BenchError, match="has no conflicts of every layer; let it train for a whole epoch"):
        conflict_scores([record({"x": 1.0}, findings, seed=3)], LAYERS)


@pytest.mark.parametrize(("top", "chosen"), [(1, ["b"]), (2, ["a", "b"]), (3, ["a", "b", "c"])])
def test_of_equal_scores_the_first_and_all_in_the_order_of_the_forward(top: int, chosen: list[str]) -> None:
    assert most_conflicting({"a": 3, "b": 5, "c": 3}, top) == chosen
