"""On the device or memory-mapped: the same batches."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_bench.data import residency
from mtl_bench.data.order import Batches
from mtl_bench.data.packed import Packed
from mtl_bench.data.residency import Columns, Mapped, Resident, gather, open_store
from mtl_bench.data.split import Split

CPU = torch.device("cpu")


def test_memmap_and_device_batches_are_bit_equal(packed: Packed) -> None:
    device, memmap = (
        Split(packed, ["train", "val"], ["shape", "depth"], "cpu", ([0.3] * 3, [0.7] * 3), kind)
        for kind in ("device", "memmap")
    )
    batches = Batches(device, 3, False, seed=0)
    places = [(epoch, position) for epoch in range(2) for position in range(batches.per_epoch)]
    for place, following in zip(places, [*places[1:], None], strict=True):
        expected, batch = device.batch(batches.indices(*place)), memmap.batch(batches.indices(*place))
        if following:
            memmap.prefetch(batches.indices(*following))
        assert torch.equal(batch.image, expected.image)
        assert all(torch.equal(batch.targets[task], expected.targets[task]) for task in expected.targets)


def test_the_announced_batch_is_read_by_the_other_thread(packed: Packed, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = []

    def watched(arrays: list[np.ndarray], index: np.ndarray) -> np.ndarray:
        readers.append(threading.current_thread().name)
        return gather(arrays, index)

    monkeypatch.setattr(residency, "gather", watched)
    store = Mapped({"shape": [packed.arrays("train")["shape"]]}, CPU)
    store.prefetch(torch.tensor([1, 2]))
    store.rows(torch.tensor([1, 2]))
    store.prefetch(torch.tensor([1, 2]))
    unannounced = store.rows(torch.tensor([3, 4]))
    store.reader.shutdown()
    assert [name.startswith("prefetch") for name in readers].count(True) == 2
    assert readers.count(threading.main_thread().name) == 1
    np.testing.assert_array_equal(unannounced["shape"], packed.arrays("train")["shape"][[3, 4]])


def test_gather_crosses_array_borders() -> None:
    arrays = [np.arange(5), np.arange(5, 7), np.arange(7, 12)]
    index = np.array([11, 5, 4, 6, 0, 7, 4])
    np.testing.assert_array_equal(gather(arrays, index), index)


@pytest.mark.parametrize(("free", "kind"), [(1000, Resident), (999, Mapped)])
def test_auto_takes_two_fifths_of_the_free_memory(
    monkeypatch: pytest.MonkeyPatch, free: int, kind: type[Resident] | type[Mapped]
) -> None:
    monkeypatch.setattr(residency, "free_memory", lambda _: free)
    columns: Columns = {"image": [np.zeros(150, np.uint8), np.zeros(150, np.uint8)], "shape": [np.zeros(50, np.int16)]}
    assert isinstance(open_store(columns, CPU, "auto"), kind)


def test_free_host_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residency, "MEMINFO", tmp_path / "meminfo")
    assert residency.free_memory(CPU) == residency.ASSUMED_FREE
    (tmp_path / "meminfo").write_text("MemTotal:  900 kB\nMemAvailable:   123 kB\n")
    assert residency.free_memory(CPU) == 123 * 1024
