"""Numbers that come off the device when they come."""

import torch

from mtl_bench.training.monitor import Monitor


def test_nothing_before_the_first_push() -> None:
    assert Monitor(torch.device("cpu")).latest() is None


def test_the_newest_copy_is_kept_and_not_aliased() -> None:
    monitor = Monitor(torch.device("cpu"))
    values = torch.tensor([1.0, 2.0])
    monitor.push(7, values)
    values.zero_()
    assert monitor.latest() == (7, [1.0, 2.0])
    assert monitor.latest() == (7, [1.0, 2.0])
    monitor.push(8, values)
    monitor.push(9, values + 3)
    assert monitor.latest() == (9, [3.0, 3.0])
