"""EGA: Aligned-MTL until the warm-up is over, then the tasks that improved least count more."""

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods import EGA, AlignedMTL
from tests.methods.toys import context, gramian_of

DOUBLE = torch.float64
NAN = float("nan")
GRAMIAN = gramian_of(3, 6, 0)


def after(*epochs: list[float], **options: float) -> EGA:
    method = EGA(warmup=1, **options)  # type: ignore[arg-type]
    method.setup(context())
    for means in epochs:
        method.end_epoch(torch.tensor(means))
    return method


def eccentricity(method: EGA, tasks: tuple[int, ...] = (0, 1, 2)) -> torch.Tensor:
    gramian = GRAMIAN[list(tasks)][:, list(tasks)]
    return method.weights(gramian, tasks=tasks) / AlignedMTL().weights(gramian)


def test_history_of_the_losses() -> None:
    ones = torch.ones(3, dtype=DOUBLE)
    assert_close(eccentricity(after()), ones)
    assert_close(eccentricity(after([9.0, 9.0, 9.0])), ones)
    assert_close(eccentricity(after([9.0, 9.0, 9.0], [4.0, 2.0, 1.0])), ones)  # of the warm-up, over itself
    found = after([9.0, 9.0, 9.0], [4.0, 2.0, 1.0], [2.0, 2.0, 0.5])
    expected = 3 * torch.tensor([0.5, 1.0, 0.5], dtype=DOUBLE).softmax(dim=0)
    assert_close(eccentricity(found), expected)
    assert_close(eccentricity(found, (0, 1)), 2 * torch.tensor([0.5, 1.0], dtype=DOUBLE).softmax(dim=0))


def test_temperature() -> None:
    epochs = ([9.0, 9.0, 9.0], [4.0, 2.0, 1.0], [2.0, 2.0, 0.5])
    expected = 3 * (torch.tensor([0.5, 1.0, 0.5], dtype=DOUBLE) / 0.1).softmax(dim=0)
    assert_close(eccentricity(after(*epochs, temperature=0.1)), expected)


def test_a_task_without_a_label_in_an_epoch() -> None:
    found = after([1.0, 1.0, 1.0], [4.0, NAN, 2.0], [2.0, 6.0, NAN], [1.0, 3.0, 1.0])
    assert found.reference is not None
    assert found.reference.tolist() == [4.0, 6.0, 2.0]
    assert_close(eccentricity(found), 3 * torch.tensor([0.25, 0.5, 0.5], dtype=DOUBLE).softmax(dim=0))


def test_what_it_refuses() -> None:
    with pytest.raises(BenchError, match=r"method\.temperature is positive"):
        EGA(temperature=0.0).setup(context())
    with pytest.raises(BenchError, match=r"method\.warmup is an epoch"):
        EGA(warmup=-1).setup(context())


def test_a_task_whose_loss_is_zero_keeps_its_ratio() -> None:
    method = EGA(warmup=0)
    method.setup(context())
    for means in ([1.0, 0.0, 2.0], [0.5, 0.0, 2.0], [0.5, 0.5, 1.0]):
        method.end_epoch(torch.tensor(means))
    assert method.ratio is not None
    assert method.ratio.tolist() == [0.5, 1.0, 0.5]


def test_a_run_that_is_all_warm_up_says_so(caplog: pytest.LogCaptureFixture) -> None:
    EGA(warmup=4).setup(context(epochs=7))
    assert not caplog.records
    EGA(warmup=4).setup(context(epochs=6))
    assert "Aligned-MTL throughout" in caplog.text
