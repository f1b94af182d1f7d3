"""The Xception-like network: stride, sizes and parameters."""

from typing import Any

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import Xception

TASKS = {"segmentation": 18, "depth": 1}
SMALL: dict[str, Any] = {"widths": (4, 4, 6, 6, 8), "blocks": 2, "features": 6, "decoder": (6, 4, 4, 4)}


@pytest.mark.parametrize("size", [(32, 64), (33, 71), (17, 40)])
def test_outputs_have_the_size_of_the_image(size: tuple[int, int]) -> None:
    model = Xception(TASKS, (3, *size), **SMALL)
    (features,) = model.encode(torch.randn(2, 3, *size))
    assert features.shape == (2, 6, *(-(-side // 16) for side in size))
    assert [model.decode([features], k).shape for k in range(2)] == [(2, n, *size) for n in TASKS.values()]


def test_parameters_are_those_of_the_listed_widths() -> None:
    with torch.device("meta"):
        model = Xception(TASKS, (3, 256, 256))

    def separable(a: int, b: int) -> int:
        return 9 * a + a * b + 2 * b

    stem = 9 * 3 * 32 + 64 + 9 * 32 * 64 + 128
    down = sum(separable(a, b) + separable(b, b) + a * b + 2 * b for a, b in ((64, 128), (128, 256), (256, 728)))
    expected = stem + down + 8 * 3 * separable(728, 728) + separable(728, 512)
    assert sum(value.numel() for value in model.shared_parameters().values()) == expected
    decoder = sum(16 * a * b + 2 * b for a, b in ((512, 128), (128, 64), (64, 48), (48, 32)))
    assert sum(value.numel() for value in model.task_parameters(0).values()) == decoder + (9 * 32 + 1) * 18


@pytest.mark.parametrize("options", [{"widths": (4, 4)}, {"decoder": (4,)}, {"blocks": 0}])
def test_other_lists_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BenchError, match=r"five model\.widths"):
        Xception(TASKS, (3, 32, 32), **{**SMALL, **options})


def test_a_last_map_of_one_position_is_refused() -> None:
    with pytest.raises(BenchError, match="at least 17×17"):
        Xception(TASKS, (3, 16, 64), **SMALL)
