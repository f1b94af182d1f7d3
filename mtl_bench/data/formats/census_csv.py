"""Census-Income (KDD): rows of 42 values with a comma and a blank between them, and no heading."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int8, Int16

from mtl_bench.data.sources import SourceFile

FILES = {"train": "census-income.data", "test": "census-income.test"}
ROWS = {FILES["train"]: 199_523, FILES["test"]: 99_762}
PAGE = "the page Census-Income (KDD) of the UCI Machine Learning Repository"
COLUMNS = 42
MARITAL, WEIGHT, INCOME = 7, 24, 41
INCOMES = {"- 50000.": 0, "50000+.": 1}
NEVER = "Never married"
# Column → how many values it takes in both files; all others of `NUMBERS` are measured.
CATEGORIES = {
    **{1: 9, 2: 52, 3: 47, 4: 17, 6: 3, 8: 24, 9: 15, 10: 5, 11: 10, 12: 2, 13: 3, 14: 6, 15: 8, 19: 6, 20: 6, 21: 51},
    **{22: 38, 23: 8, 25: 10, 26: 9, 27: 10, 28: 3, 29: 4, 31: 5, 32: 43, 33: 43, 34: 43, 35: 5, 37: 3},
}
NUMBERS = tuple(at for at in range(COLUMNS) if at not in (*CATEGORIES, MARITAL, WEIGHT, INCOME))


@dataclass(frozen=True)
class Persons:
    """One file: the place of every categorical value among its column's in alphabetical order, numbers, labels."""

    codes: Int16[np.ndarray, "rows 29"]
    numbers: Float64[np.ndarray, "rows 10"]
    income: Int8[np.ndarray, "rows"]
    never_married: Int8[np.ndarray, "rows"]


def census_remedy(path: Path) -> str:
    return f"download {path.name.removesuffix('.gz')} from {PAGE}"


@lru_cache(maxsize=1)
def read_census(paths: tuple[Path, ...]) -> tuple[Persons, ...]:
    """The files, whose categorical values are numbered together. Raises BenchError for one that is not whole."""
    known: dict[int, dict[str, int]] = {column: {} for column in CATEGORIES}
    found = [_read(path, known) for path in paths]
    for column, values in known.items():
        place = {value: at for at, value in enumerate(sorted(values))}
        order = np.array([place[value] for value in values], np.int16)
        at = list(CATEGORIES).index(column)
        for rows in found:
            rows.codes[:, at] = order[rows.codes[:, at]]
    return tuple(found)


def _read(path: Path, known: dict[int, dict[str, int]]) -> Persons:
    """Codes in the order in which values come up."""
    file = SourceFile(path, census_remedy(path))
    codes, numbers, labels = [], [], []
    with file.structure("damaged"):
        for row in _cells(file):
            codes.append([known[at].setdefault(row[at], len(known[at])) for at in CATEGORIES])
            numbers.append([float(row[at]) for at in NUMBERS])
            labels.append([INCOMES[row[INCOME]], int(row[MARITAL] == NEVER)])
    expected = ROWS[path.name.removesuffix(".gz")]
    file.require(len(codes) == expected, f"holds {len(codes)} rows of {expected}")
    for at, most in CATEGORIES.items():
        file.require(len(known[at]) <= most, f"brings column {at + 1} to {len(known[at])} values instead of {most}")
    income, never_married = np.array(labels, np.int8).T
    return Persons(np.array(codes, np.int16), np.array(numbers), income, never_married)


def _cells(file: SourceFile) -> Iterator[list[str]]:
    for row in csv.reader(file.content().decode("latin-1").splitlines()):
        if row:
            if len(row) != COLUMNS:
                raise ValueError(f"a row has {len(row)} values instead of {COLUMNS}")
            yield [value.strip() for value in row]
