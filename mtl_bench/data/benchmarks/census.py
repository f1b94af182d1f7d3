"""Census-Income (KDD) from its official files: two yes-or-no questions about persons."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float64, Int64

from mtl_bench.data.benchmarks.whole_files import WholeFiles, find_file
from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.census_csv import CATEGORIES, FILES, NUMBERS, Persons, census_remedy, read_census
from mtl_bench.data.official import Inventory, Sample, Tally
from mtl_bench.errors import check_choices

INPUTS = len(NUMBERS) + sum(CATEGORIES.values())
STARTS = len(NUMBERS) + np.cumsum([0, *CATEGORIES.values()])[:-1]  # of every column's places in the input


@dataclass(frozen=True, kw_only=True)
class Census(WholeFiles):
    """Census-Income (KDD), 199,523 training rows of 1994 and 1995; half the 99,762 test rows validate, as in MMoE.

    Tasks as in MMoE (Ma et al., KDD 2018): `income` above 50,000 dollars, and `never_married`. The input has 498
    numbers: ten measured columns, standardised by the training rows, and one place per value of the 29 categorical
    ones (the columns of the released keras-mmoe); missing ("?") is a value. `instance_weight` is no input. Rows are
    stored as images of 498 channels and one pixel; `row` is the position in the file.

    `data_seed` draws the halves. `rows="test"` needs the test file only: half of it trains, a quarter each validates
    and tests. That is another dataset, and says so.

    Raises BenchError for other `rows`.
    """

    pictured: ClassVar[bool] = False
    name: str = "census"
    rows: Literal["all", "test"] = "all"
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, f"Dataset {self.name}: ")

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("float32", (INPUTS, 1, 1), "float"),
            "income": Field("int8", (), "class"),
            "never_married": Field("int8", (), "class"),
            "row": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        source = "Census-Income (KDD), official files"
        variant = "the official test rows, split anew" if self.rows == "test" else ""
        parts = ["test"] if self.rows == "test" else ["train", "test"]
        paths = {part: _gzipped_or_plain(folder, FILES[part]) for part in parts}
        tallies = [Tally("", FILES[part], int(path.is_file()), int(not path.is_file())) for part, path in paths.items()]
        if missing := [f"{path} is missing; {census_remedy(path)}." for path in paths.values() if not path.is_file()]:
            return Inventory(source, {}, tallies, fatal=missing, variant=variant)
        splits = {
            split: [Sample(f"{part}/{row}", paths, row) for row in rows.tolist()]
            for split, (part, rows) in self.split(paths).items()
        }
        tallies += [Tally(split, "rows", len(samples)) for split, samples in splits.items()]
        return Inventory(source, splits, tallies, variant=variant)

    def read(self, sample: Sample) -> Arrays:
        paths, part = sample.files, sample.name.partition("/")[0]
        rows, (mean, std) = _rows(paths)[part], _training_scale(self, tuple(paths.items()))
        image = np.zeros(INPUTS, np.float32)
        image[: len(NUMBERS)] = (rows.numbers[sample.row] - mean) / std
        image[STARTS + rows.codes[sample.row]] = 1
        return {
            "image": image[:, None, None],
            "income": rows.income[sample.row],
            "never_married": rows.never_married[sample.row],
            "row": np.array(sample.row, np.int32),
        }

    def split(self, paths: Mapping[str, Path]) -> dict[str, tuple[str, Int64[np.ndarray, "rows"]]]:
        """The part of the files that a split comes from, and its rows."""
        counts = {part: len(rows.income) for part, rows in _rows(paths).items()}
        order = np.random.RandomState(self.data_seed).permutation(counts["test"])  # a frozen stream
        if self.rows == "test":
            train, val, test = np.split(order, [len(order) // 2, 3 * len(order) // 4])
        else:
            train, (val, test) = np.arange(counts["train"]), np.split(order, [len(order) // 2])
        found = {"train": (next(iter(paths)), train), "val": ("test", val), "test": ("test", test)}
        return {split: (part, np.sort(rows)) for split, (part, rows) in found.items()}


def _rows(paths: Mapping[str, Path]) -> dict[str, Persons]:
    return dict(zip(paths, read_census(tuple(paths.values())), strict=True))


@lru_cache(maxsize=1)
def _training_scale(
    dataset: Census, paths: tuple[tuple[str, Path], ...]
) -> tuple[Float64[np.ndarray, "10"], Float64[np.ndarray, "10"]]:
    """Mean and standard deviation of the measured columns; 1 for a column with one value."""
    part, rows = dataset.split(dict(paths))["train"]
    numbers = _rows(dict(paths))[part].numbers[rows]
    return numbers.mean(axis=0), np.where(np.ptp(numbers, axis=0) > 0, numbers.std(axis=0), 1.0)


def _gzipped_or_plain(folder: Path, name: str) -> Path:
    gzipped = find_file(folder, f"{name}.gz")
    return gzipped if gzipped.is_file() else find_file(folder, name)
