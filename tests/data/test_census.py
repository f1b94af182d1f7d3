"""Census-Income: every value is found in its place, and what is wrong with the files is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.census import INPUTS, Census
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats import census_csv
from mtl_bench.data.formats.census_csv import CATEGORIES, FILES, INCOME, MARITAL, NUMBERS, read_census
from mtl_bench.errors import BenchError
from tests.data.census_files import drawn_persons, write_census

TRAIN, TEST = drawn_persons(40, 0), drawn_persons(21, 1)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census_csv, "ROWS", {FILES["train"]: len(TRAIN), FILES["test"]: len(TEST)})
    read_census.cache_clear()


def inputs(person: list[str], everyone: list[list[str]], training: list[list[str]]) -> np.ndarray:
    """As one would write it down: measured columns against the training rows, then one place per value."""
    found = []
    for at in NUMBERS:
        column = np.array([float(one[at]) for one in training])
        found.append((float(person[at]) - column.mean()) / column.std())
    for at, most in CATEGORIES.items():
        values = sorted({one[at].strip() for one in everyone})
        found += [float(person[at].strip() == value) for value in values] + [0.0] * (most - len(values))
    return np.array(found, np.float32)


def test_the_input_has_the_width_of_the_released_code() -> None:
    assert INPUTS == 499 - 1  # of which one is the weight


def test_every_field_is_the_files(tmp_path: Path) -> None:
    write_census(tmp_path / "source", f"{FILES['train']}.gz", TRAIN)
    write_census(tmp_path / "source" / "deep", FILES["test"], TEST)
    packed = prepare(Census(), tmp_path, tmp_path / "source")
    assert packed.manifest.splits == {"train": 40, "val": 10, "test": 11}
    assert packed.manifest.label == ""
    seen = []
    for split in packed.manifest.splits:
        arrays, persons = packed.arrays(split), TRAIN if split == "train" else TEST
        seen += arrays["row"].tolist() if split != "train" else []
        for at, row in enumerate(arrays["row"]):
            expected = inputs(persons[row], TRAIN + TEST, TRAIN)
            np.testing.assert_allclose(arrays["image"][at, :, 0, 0], expected, rtol=1e-6, atol=1e-7)
            assert arrays["income"][at] == (persons[row][INCOME] == "50000+.")
            assert arrays["never_married"][at] == (persons[row][MARITAL] == "Never married")
    assert sorted(seen) == list(range(21))


def test_the_test_file_alone_is_another_dataset(tmp_path: Path) -> None:
    write_census(tmp_path, FILES["test"], TEST)
    packed = prepare(Census(rows="test"), tmp_path, tmp_path)
    assert packed.manifest.splits == {"train": 10, "val": 5, "test": 6}
    assert packed.manifest.label == "the official test rows, split anew"
    training = [TEST[row] for row in packed.arrays("train")["row"]]
    for at, row in enumerate(packed.arrays("test")["row"]):
        expected = inputs(TEST[row], TEST, training)
        np.testing.assert_allclose(packed.arrays("test")["image"][at, :, 0, 0], expected, rtol=1e-6, atol=1e-7)


def test_the_real_file_is_read(tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first 1,500 rows, against a reader of NumPy's."""
    import gzip

    with gzip.open(shared_data / "census_income" / f"{FILES['test']}.gz", "rt") as file:
        lines = [next(file) for _ in range(1500)]
    persons = np.array([[cell.strip() for cell in line.split(", ")] for line in lines])
    monkeypatch.setitem(census_csv.ROWS, FILES["test"], len(persons))
    (tmp_path / FILES["test"]).write_text("".join(lines))
    packed = prepare(Census(rows="test"), tmp_path, tmp_path)
    everyone, training = persons.tolist(), persons[packed.arrays("train")["row"]].tolist()
    for split in packed.manifest.splits:
        arrays = packed.arrays(split)
        for at in range(0, len(arrays["row"]), 150):
            expected = inputs(everyone[arrays["row"][at]], everyone, training)
            np.testing.assert_allclose(arrays["image"][at, :, 0, 0], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(arrays["never_married"], persons[arrays["row"], MARITAL] == "Never married")


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def change(name: str, old: str, new: str) -> Callable[[Path], None]:
    def made(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return made


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove(FILES["train"]), r"income\.data is missing; download census-income\.data from the page Census-Income"),
        (remove(FILES["test"]), r"income\.test is missing; download census-income\.test from the page"),
        (change(FILES["test"], "50000+.\n", "50000+."), r"test is damaged \(a row has 83 values instead of 42\); down"),
        (change(FILES["train"], "- 50000.", "little"), r"data is damaged \('little'\); download"),
        (lambda folder: write_census(folder, FILES["train"], TRAIN[:9]), "data holds 9 rows of 40; download"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    write_census(tmp_path, FILES["train"], TRAIN)
    write_census(tmp_path, FILES["test"], TEST)
    damage(tmp_path)
    with pytest.raises(BenchError, match=said):
        prepare(Census(), tmp_path, tmp_path)


def test_more_values_than_a_column_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_census(tmp_path, FILES["test"], TEST)
    monkeypatch.setitem(CATEGORIES, 11, 4)
    with pytest.raises(BenchError, match=r"brings column 12 to \d values instead of 4; download"):
        read_census((tmp_path / FILES["test"],))
