"""MTAN: the released layers, masks that are a task's own, and statistics of shared passages."""

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.models import SegNet, SegNetMTAN, initialise

TASKS = {"segmentation": 13, "depth": 1, "normal": 3}


@pytest.mark.parametrize(
    ("model", "count", "printed"), [(SegNet, 25_055_185, "25.1"), (SegNetMTAN, 44_229_073, "44.2")]
)
def test_parameters_are_those_that_papers_print(model: type[SegNet | SegNetMTAN], count: int, printed: str) -> None:
    with torch.device("meta"):
        found = sum(value.numel() for value in model(TASKS, (3, 288, 384), biases=True).parameters())
    assert found == count
    assert f"{found / 1e6:.1f}" == printed


@pytest.mark.parametrize("size", [(48, 64), (33, 71), (32, 32)])
def test_outputs_have_the_size_of_the_image(size: tuple[int, int]) -> None:
    model = SegNetMTAN(TASKS, (3, *size), width=2)
    (features,) = model.encode(torch.randn(2, 3, *size), 0)
    assert features.shape == (2, 2, *size)
    assert model.decode([features], 0).shape == (2, 13, *size)


def test_a_closed_mask_hides_the_trunk_from_its_task_alone() -> None:
    model = SegNetMTAN(TASKS, (3, 32, 32), width=2)
    initialise(model, 0)
    image = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        model.get_parameter("heads.depth.attention.up.4.4.bias").fill_(-1e4)
    assert (model.encode(image, 1)[0] == 0).all()
    assert all((model.encode(image, k)[0] != 0).any() for k in (0, 2))


def test_a_task_moves_its_own_statistics_of_the_shared_passages() -> None:
    model = SegNetMTAN(TASKS, (3, 32, 32), width=2)
    model.encode(torch.randn(2, 3, 32, 32), 1)
    state = model.encoder.state_dict()
    counts = {name: int(value) for name, value in state.items() if "num_batches" in name and "trunk" not in name}
    assert len(counts) == 3 * 10
    assert all(value == (".depth." in name) for name, value in counts.items())
    assert not [name for name in model.shared_parameters() if ".depth." in name]


def test_the_task_is_asked_for() -> None:
    with pytest.raises(BenchError, match="needs the task"):
        SegNetMTAN(TASKS, (3, 32, 32), width=2).encode(torch.randn(2, 3, 32, 32))


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(BenchError, match="SegNetMTAN needs images of at least 32×32"):
        SegNetMTAN(TASKS, (3, 31, 32))
