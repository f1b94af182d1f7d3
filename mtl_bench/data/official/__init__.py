"""Datasets made from the files as their owners publish them: a reader says what it looks for and what one sample is."""

from mtl_bench.data.official.inventory import Inventory, Sample, Tally, take_stock
from mtl_bench.data.official.official_dataset import OfficialDataset
from mtl_bench.data.official.packing import Packing

__all__ = ["Inventory", "OfficialDataset", "Packing", "Sample", "Tally", "take_stock"]
