"""The QM9 experiment on a miniature of its files."""

from pathlib import Path

import pytest

from mtl_bench.data.formats import gdb9_sdf
from tests.data.gdb9_files import write_qm9
from tests.experiments.miniature import train_two_steps


def test_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdb9_sdf, "COUNT", 14)
    monkeypatch.setattr(gdb9_sdf, "LEFT_OUT", 1)
    write_qm9(tmp_path / "raw" / "qm9", 14, [3])
    record = train_two_steps("qm9", tmp_path, "dataset.val=3", "dataset.test=3", "model.width=6")
    assert len(record["test"]) == 11
    assert all("mae" in found for found in record["test"].values())
