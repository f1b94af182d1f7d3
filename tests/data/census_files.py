"""Census-Income's files in miniature: its columns, a few persons, every value of a column in turn."""

import gzip
from pathlib import Path

import numpy as np

from mtl_bench.data.formats.census_csv import CATEGORIES, COLUMNS, INCOME, MARITAL, NUMBERS, WEIGHT


def drawn_persons(count: int, seed: int) -> list[list[str]]:
    draw = np.random.RandomState(seed)
    persons = []
    for number in range(count):
        person = ["1032.38"] * COLUMNS
        for at, most in CATEGORIES.items():
            person[at] = "?" if at == 25 and number % 5 == 0 else f"Value {draw.randint(most - 1):02d} of {at} "
        for at in NUMBERS:
            person[at] = str(draw.randint(100))
        person[MARITAL] = "Never married" if number % 3 == 0 else "Widowed"
        person[INCOME] = "50000+." if number % 4 == 1 else "- 50000."
        assert person[WEIGHT] == "1032.38"
        persons.append(person)
    return persons


def write_census(folder: Path, name: str, persons: list[list[str]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path, text = folder / name, "".join(f"{', '.join(person)}\n" for person in persons)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path
