"""A dataset that is read from a copy on the Hugging Face hub."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from mtl_bench.data.benchmarks.nyuv2_validation import Val, nyuv2_held_out
from mtl_bench.data.formats.copies import check_place
from mtl_bench.data.formats.hub_copy import COPIES, ROWS, HubCopy
from mtl_bench.data.formats.parquet_rows import read_row
from mtl_bench.data.official import Inventory, OfficialDataset, Sample
from mtl_bench.data.sources import SourceFile


@dataclass(frozen=True, kw_only=True)
class HubDataset(OfficialDataset):
    """The rows of a copy. A reader says which one in `copy`, what is read of it in `columns`, and what a sample is."""

    copy: ClassVar[str]  # a key of COPIES

    @property
    @abstractmethod
    def columns(self) -> Mapping[str, str]:
        """The columns that are read, by the fields made of them."""

    @property
    def owner(self) -> HubCopy:
        return COPIES[self.copy]

    def find(self, folder: Path) -> Inventory:
        check_place(folder, self.copy)
        return self.owner.stock(folder, list(self.columns.values()))

    def cells(self, sample: Sample) -> Mapping[str, Any]:
        """By field, what the row of a parquet file holds."""
        row = read_row(sample.files[ROWS], sample.row, list(self.columns.values()), self.owner.remedy)
        return {field: row[column] for field, column in self.columns.items()}

    def file(self, sample: Sample, kind: str = ROWS) -> SourceFile:
        return SourceFile(sample.files[kind], self.owner.remedy)


@dataclass(frozen=True, kw_only=True)
class HeldOut(HubDataset):
    """A copy without a validation split: `val` training rows, drawn with `data_seed`, are held out.

    `libmtl` holds out the 159 that LibMTL published for NYUv2, in a copy that keeps MTAN's order.
    """

    val: Val = 0
    data_seed: int = 0

    def find(self, folder: Path) -> Inventory:
        """Rows are drawn among all that the copy has: which ones does not depend on what is missing here."""
        stock = super().find(folder)
        if stock.fatal:
            return stock
        there = {sample.name: sample for samples in stock.splits.values() for sample in samples}
        held = nyuv2_held_out(self.owner.every, self.val, self.data_seed)
        splits = {part: [there[one.name] for one in samples if one.name in there] for part, samples in held.items()}
        return replace(stock, splits=splits)
