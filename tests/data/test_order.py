"""Batches as a pure function of seed, epoch and position."""

import pytest
import torch

from mtl_bench.data.order import Batches, epoch_order
from mtl_bench.data.packed import Packed
from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError


@pytest.fixture
def split(packed: Packed) -> Split:
    """Ten samples."""
    return Split(packed, ["train"], ["shape"], "cpu")


def test_the_order_is_pure_and_differs_by_seed_and_epoch() -> None:
    order = epoch_order(1000, seed=3, epoch=5)
    torch.manual_seed(0)
    torch.rand(7)
    assert torch.equal(order, epoch_order(1000, seed=3, epoch=5))
    for other in (epoch_order(1000, 4, 5), epoch_order(1000, 3, 6), epoch_order(1000, 5, 3)):
        assert not torch.equal(order, other)
    assert torch.equal(order.sort().values, torch.arange(1000))


def test_the_order_leaves_the_global_stream_alone() -> None:
    before = torch.random.get_rng_state()
    epoch_order(10, 0, 0)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(("drop_last", "sizes"), [(True, [4, 4]), (False, [4, 4, 2])])
def test_an_epoch_covers_every_sample_once(split: Split, drop_last: bool, sizes: list[int]) -> None:
    batches = Batches(split, 4, drop_last, seed=0)
    epoch = [batches.indices(2, position) for position in range(batches.per_epoch)]
    assert [len(batch) for batch in epoch] == sizes
    assert torch.equal(torch.cat(epoch), epoch_order(10, 0, 2)[: sum(sizes)])


def test_batches_can_be_asked_for_in_any_order(split: Split) -> None:
    forward, backward = (Batches(split, 3, False, seed=1) for _ in range(2))
    places = [(epoch, position) for epoch in range(3) for position in range(4)]
    seen = {place: forward.indices(*place) for place in places}
    assert all(torch.equal(backward.indices(*place), seen[place]) for place in reversed(places))


def test_a_batch_larger_than_the_dataset(split: Split) -> None:
    with pytest.raises(BenchError, match="larger than the 10 training samples"):
        Batches(split, 11, drop_last=True, seed=0)
    assert [Batches(split, 11, False, 0).per_epoch, len(Batches(split, 11, False, 0).indices(0, 0))] == [1, 10]
    assert Batches(split, 10, drop_last=True, seed=0).per_epoch == 1


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_without_samples_is_refused(split: Split, size: int) -> None:
    with pytest.raises(BenchError, match="at least 1"):
        Batches(split, size, False, 0)
