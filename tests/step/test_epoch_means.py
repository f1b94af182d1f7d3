"""Mean losses of an epoch."""

import torch

from mtl_bench.step.epoch_means import FOLD, EpochMeans


def test_means_skip_what_is_not_finite() -> None:
    means = EpochMeans(3)
    means.add(torch.tensor([1.0, torch.nan, 2.0]))
    means.add(torch.tensor([3.0, torch.inf, torch.nan]))
    found = means.close()
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, torch.tensor([2.0, torch.nan, 2.0]).double(), equal_nan=True)


def test_closing_starts_the_next_epoch() -> None:
    means = EpochMeans(1)
    means.add(torch.tensor([5.0]))
    first = means.close()
    means.add(torch.tensor([1.0]))
    assert means.close().item() == 1
    assert first.item() == 5
    assert means.close().isnan().all()


def test_many_batches_in_half_precision_sum_exactly() -> None:
    means = EpochMeans(1)
    for _ in range(3000):
        means.add(torch.tensor([1.0], dtype=torch.bfloat16))
    assert means.close().item() == 1


def test_sums_go_on_where_they_were_read() -> None:
    losses = torch.rand(2100, 2, generator=torch.Generator().manual_seed(0))
    whole, first, second = EpochMeans(2), EpochMeans(2), EpochMeans(2)
    for row in losses:
        whole.add(row)
    for row in losses[:1300]:
        first.add(row)
    second.load(first.state())
    for row in losses[1300:]:
        second.add(row)
    found = whole.close()
    assert second.close().equal(found)
    torch.testing.assert_close(found, losses.double().mean(dim=0))


def test_loading_forgets_what_came_since() -> None:
    means = EpochMeans(1)
    means.add(torch.tensor([1.0]))
    saved = means.state()
    for _ in range(FOLD + 1):
        means.add(torch.tensor([100.0]))
    means.load(saved)
    means.add(torch.tensor([1.0]))
    assert means.close().item() == 1
