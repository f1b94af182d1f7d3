"""Cross-stitch networks: the unit, its start, and what it makes shared."""

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import CrossStitch, initialise
from mtl_bench.models.cross_stitch import StitchUnit

TASKS = {"segmentation": 13, "depth": 1, "normal": 3}


def test_a_unit_mixes_as_equation_1_says() -> None:
    unit = StitchUnit(2)
    torch.testing.assert_close(unit.weight.detach().view(2, 2), torch.tensor([[0.9, 0.1], [0.1, 0.9]]))
    left, right = torch.randn(2, 4, 3, 5), torch.randn(2, 4, 3, 5)
    one, other = unit(torch.stack([left, right]))
    torch.testing.assert_close(one, 0.9 * left + 0.1 * right)
    torch.testing.assert_close(other, 0.1 * left + 0.9 * right)


def test_more_tasks_share_what_is_not_their_own() -> None:
    rows = StitchUnit(3).weight.detach().view(3, 3)
    torch.testing.assert_close(rows, torch.full((3, 3), 0.05) + 0.85 * torch.eye(3))
    assert StitchUnit(1).weight.item() == 1


@pytest.mark.parametrize("size", [(32, 64), (33, 71)])
def test_each_head_reads_the_map_of_its_task(size: tuple[int, int]) -> None:
    model = CrossStitch(TASKS, (3, *size), width=2)
    initialise(model, 0)
    features = model.encode(torch.randn(2, 3, *size))
    assert [tuple(one.shape) for one in features] == [(2, 16, *(-(-side // 8) for side in size))] * 3
    taps = [one.detach().requires_grad_() for one in features]
    output = model.decode(taps, 1)
    assert output.shape == (2, 1, *size)
    assert [g is not None for g in torch.autograd.grad(output.sum(), taps, allow_unused=True)] == [False, True, False]


def test_without_mixing_columns_are_apart() -> None:
    model = CrossStitch(TASKS, (3, 32, 32), width=2)
    with torch.no_grad():
        for unit in model.get_submodule("encoder.units"):  # type: ignore[attr-defined]
            unit.weight.copy_(torch.eye(3).flatten())
    column = model.get_submodule("encoder.columns.depth")
    image = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.eval().encode(image)[1], column(image))


def test_no_layer_is_the_last_shared_one_of_all_tasks() -> None:
    assert CrossStitch(TASKS, (3, 32, 32), width=2).last_shared is None


def test_a_last_map_of_one_position_is_refused() -> None:
    with pytest.raises(BenchError, match="CrossStitch needs images of at least 9×9"):
        CrossStitch(TASKS, (3, 8, 64))
