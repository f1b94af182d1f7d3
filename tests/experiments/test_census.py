"""The Census experiment on a miniature of the official files."""

from pathlib import Path

import pytest

from mtl_bench.data.formats import census_csv
from mtl_bench.data.formats.census_csv import FILES
from tests.data.census_files import drawn_persons, write_census
from tests.experiments.miniature import train_two_steps


def test_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census_csv, "ROWS", {FILES["train"]: 24, FILES["test"]: 24})
    for seed, name in enumerate(FILES.values()):
        write_census(tmp_path / "raw" / "census", name, drawn_persons(24, seed))  # both classes in every half
    record = train_two_steps("census", tmp_path)
    assert list(record["test"]) == ["income", "never_married"]
    assert all(0 <= found["auc"] <= 1 for found in record["test"].values())
