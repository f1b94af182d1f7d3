"""One head per task, in order."""

import pytest
from torch import nn

from mtl_bench.errors import BenchError
from mtl_bench.models.heads import build_heads


def linear(channels: int) -> nn.Module:
    return nn.Linear(2, channels)


def test_heads_keep_the_order_of_the_tasks() -> None:
    assert list(build_heads({"b": 1, "a": 3}, linear)) == ["b", "a"]


@pytest.mark.parametrize("name", ["train", "a.b", ""])
def test_a_name_that_torch_cannot_register_is_refused(name: str) -> None:
    with pytest.raises(BenchError, match="rename it"):
        build_heads({name: 2}, linear)


def test_no_task_is_refused() -> None:
    with pytest.raises(BenchError, match="at least one task"):
        build_heads({}, linear)
