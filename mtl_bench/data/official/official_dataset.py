"""A dataset that is made from official files: two questions to answer per format, all else stands here."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.fields import Arrays
from mtl_bench.data.manifest import Manifest
from mtl_bench.data.official.ahead import Ahead
from mtl_bench.data.official.inventory import Inventory, Sample
from mtl_bench.data.official.packing import Packing, check_disk, needed_bytes
from mtl_bench.data.official.told import followed, table_of
from mtl_bench.data.packed import write_packed
from mtl_bench.data.stream import Samples
from mtl_bench.errors import BenchError


@dataclass(frozen=True, kw_only=True)
class OfficialDataset(Dataset):
    """A dataset from official files. A reader answers `find` and `read`, and what it stores in `fields`.

    `read` is called in other processes, so that the dataset's arguments must be picklable; what it returns depends on
    the sample alone. Both raise BenchError, one sentence that names the file and what to download from whom.

    `limit` packs the first complete samples of every split only, into a folder of its own. Where so many are complete,
    others may be missing; where they are too few, those that are missing are told as ever.

    `pictured` says whether samples are pictures, which people look at on a contact sheet.

    Raises BenchError for a limit below 1.
    """

    pictured: ClassVar[bool] = True
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise BenchError(f"Dataset {self.name}: limit counts samples of every split from 1 on, got {self.limit}.")

    @abstractmethod
    def find(self, folder: Path) -> Inventory:
        """What `folder` holds of this dataset. Looks at names and sizes, not into every file."""

    @abstractmethod
    def read(self, sample: Sample) -> Arrays:
        """The stored arrays of one sample, by field."""

    def pack(self, folder: Path, raw: Path, source: Path | None, packing: Packing | None = None) -> Manifest:
        packing = packing or Packing()
        inventory = self.limited(self.find(source or raw / self.name))
        say = packing.console.print if packing.console else _nothing
        say(table_of(inventory))
        inventory.check(packing.on_error)
        say(check_disk(self.name, needed_bytes(self.fields, inventory.counts), folder))
        with followed(self.name, sum(inventory.counts.values()), packing.console) as tell:
            before, splits = 0, {}
            for split, samples in inventory.splits.items():
                read = Ahead(samples, self.read, self.fields, packing.processes)
                splits[split] = Samples(len(samples), _told(read, before, tell))
                before += len(samples)
            return write_packed(
                folder,
                self.name,
                splits,
                self.fields,
                inventory.source,
                self.parameters,
                variant=inventory.variant,
                skipped=inventory.lost,
                on_error=packing.on_error,
            )

    def limited(self, inventory: Inventory) -> Inventory:
        """As much of it as is asked for."""
        if self.limit is None:
            return inventory
        lost = {
            split: told for split, told in inventory.lost.items() if len(inventory.splits.get(split, ())) < self.limit
        }
        splits = {split: samples[: self.limit] for split, samples in inventory.splits.items()}
        part = f"the first {self.limit}{' complete ones' if lost != inventory.lost else ''} of every split"
        variant = f"{inventory.variant}, {part}" if inventory.variant else part
        return replace(inventory, splits=splits, lost=lost, variant=variant)


def _told(read: Ahead, before: int, tell: Callable[[int], None]) -> Callable[[range], Arrays]:
    def reading(rows: range) -> Arrays:
        tell(before + rows.start)
        return read(rows)

    return reading


def _nothing(*_: object) -> None: ...
