"""DWA: weights computed by hand."""

from math import exp, nan

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.methods.dwa import DynamicWeightAverage
from tests.methods.toys import context

LOSSES = torch.ones(3)
ALL = (0, 1, 2)


def ready(temperature: float = 2.0) -> DynamicWeightAverage:
    method = DynamicWeightAverage(temperature=temperature)
    method.setup(context())
    return method


def weights_of(method: DynamicWeightAverage, tasks: tuple[int, ...] = ALL) -> list[float]:
    return method.task_weights(LOSSES[list(tasks)], tasks=tasks).tolist()


def by_hand(ratios: list[float], temperature: float = 2.0) -> list[float]:
    total = sum(exp(r / temperature) for r in ratios)
    return [len(ratios) * exp(r / temperature) / total for r in ratios]


def means(*values: float) -> torch.Tensor:
    """As the trainer hands them over: float64 on the host."""
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_four_epochs(temperature: float) -> None:
    method = ready(temperature)
    assert weights_of(method) == [1, 1, 1]  # epoch 0
    method.end_epoch(means(4.0, 2.0, 1.0))
    assert weights_of(method) == [1, 1, 1]  # epoch 1
    method.end_epoch(means(2.0, 2.0, 1.5))
    assert weights_of(method) == pytest.approx(by_hand([0.5, 1.0, 1.5], temperature))  # epoch 2
    method.end_epoch(means(1.8, 0.2, 1.5))
    assert weights_of(method) == pytest.approx(by_hand([0.9, 0.1, 1.0], temperature))  # epoch 3
    assert sum(weights_of(method)) == pytest.approx(3)


def test_weights_stay_within_an_epoch() -> None:
    method = ready()
    method.end_epoch(means(4.0, 2.0, 1.0))
    method.end_epoch(means(2.0, 2.0, 1.5))
    before = weights_of(method)
    method.observe(torch.tensor([9.0, 9.0, 9.0]), tasks=ALL)
    assert weights_of(method) == before


def test_an_epoch_without_a_label_counts_as_no_change() -> None:
    method = ready()
    method.end_epoch(means(4.0, 2.0, nan))
    method.end_epoch(means(2.0, 2.0, 1.5))
    assert weights_of(method) == pytest.approx(by_hand([0.5, 1.0, 1.0]))
    method.end_epoch(means(1.0, nan, 3.0))
    assert weights_of(method) == pytest.approx(by_hand([0.5, 1.0, 2.0]))
    method.end_epoch(means(1.0, 2.0, 3.0))
    assert weights_of(method) == pytest.approx(by_hand([1.0, 1.0, 1.0]))


@pytest.mark.parametrize("earlier", [0.0, nan, 1e-300])
def test_a_ratio_without_a_value_is_no_ratio(earlier: float) -> None:
    """Loss 0 in the epoch before, or one so small that the ratio leaves float32."""
    method = ready()
    method.end_epoch(means(earlier, 1.0, 1.0))
    method.end_epoch(means(1.0, 1.0, 0.5))
    assert weights_of(method) == pytest.approx(by_hand([1.0, 1.0, 0.5]))


def test_the_softmax_runs_over_all_tasks() -> None:
    method = ready()
    method.end_epoch(means(4.0, 2.0, 1.0))
    method.end_epoch(means(2.0, 2.0, 1.5))
    whole = weights_of(method)
    assert weights_of(method, tasks=(0, 2)) == [whole[0], whole[2]]


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_temperature_is_positive(temperature: float) -> None:
    with pytest.raises(BenchError, match="temperature must be positive"):
        ready(temperature)


def windowed(window: int, batches: list[list[float]], tasks: tuple[int, ...] = ALL) -> DynamicWeightAverage:
    method = DynamicWeightAverage(window=window)
    method.setup(context())
    for values in batches:
        method.observe(torch.tensor(values), tasks=tasks)
    return method


def test_windows_of_batches() -> None:
    batches = [[4.0, 2.0, 1.0], [2.0, 2.0, 3.0], [1.0, 2.0, 1.0], [2.0, 2.0, 5.0]]
    assert weights_of(windowed(2, batches[:3])) == [1, 1, 1]  # the first window is not full
    assert weights_of(windowed(2, batches)) == pytest.approx(by_hand([0.5, 1.0, 1.5]))
    later = weights_of(windowed(2, [*batches, [6.0, 2.0, 3.0]]))
    assert later == pytest.approx(by_hand([8 / 3, 1.0, 8 / 4]))  # they roll on


def test_windows_hold_batches_with_a_label() -> None:
    method = windowed(1, [[4.0, 2.0, 1.0]])
    method.observe(torch.tensor([2.0, 3.0]), tasks=(0, 2))
    assert weights_of(method) == pytest.approx(by_hand([0.5, 1.0, 3.0]))
    method.observe(torch.tensor([torch.nan, 3.0]), tasks=(0, 2))
    assert weights_of(method) == pytest.approx(by_hand([0.5, 1.0, 3.0]))


def test_epochs_do_not_count_where_windows_do() -> None:
    method = windowed(2, [])
    for _ in range(2):
        method.end_epoch(means(4.0, 2.0, 1.0))
        method.end_epoch(means(1.0, 2.0, 1.0))
    assert weights_of(method) == [1, 1, 1]


def test_a_window_holds_a_batch_at_least() -> None:
    with pytest.raises(BenchError, match="window is a number of batches from 1 on"):
        windowed(0, [])
