"""The sample of SARCOS: its file, its splits, its scale, and the sentences about what is wrong."""

from pathlib import Path

import numpy as np
import pytest
from scipy import io

from mtl_bench.data.dataset import prepare
from mtl_bench.data.sarcos import TASKS, SarcosSample
from mtl_bench.errors import BenchError


def write(folder: Path, rows: int = 4449, name: str = "sarcos_inv_test") -> np.ndarray:
    table = np.random.RandomState(1).normal(5, 3, (rows, 28))
    folder.mkdir(parents=True, exist_ok=True)
    io.savemat(folder / "sarcos_inv_test.mat", {name: table})
    return table


def test_rows_are_split_once_and_standardised_by_the_training_rows(tmp_path: Path) -> None:
    table = write(tmp_path / "raw" / "sarcos")
    packed = prepare(SarcosSample(), tmp_path)
    assert packed.manifest.splits == {"train": 2000, "val": 449, "test": 2000}
    assert packed.manifest.targets == TASKS
    train = packed.arrays("train")
    for name in TASKS:
        assert train[name].mean() == pytest.approx(0, abs=1e-5)
        assert train[name].std() == pytest.approx(1, abs=1e-5)
    parts = [packed.arrays(split) for split in packed.manifest.splits]
    stored = np.concatenate([part["torque_7"][:, 0] for part in parts])
    # Every row is there once, in whatever order: standardising moves and stretches all alike.
    np.testing.assert_allclose(
        np.sort(stored), np.sort((table[:, 27] - shift(table, stored)) / scale(table, stored)), atol=1e-5
    )


def scale(table: np.ndarray, stored: np.ndarray) -> float:
    return float(table[:, 27].std() / stored.std())


def shift(table: np.ndarray, stored: np.ndarray) -> float:
    return float(table[:, 27].mean() - stored.mean() * scale(table, stored))


def test_the_file_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"prepare dataset=sarcos source=FOLDER"):
        prepare(SarcosSample(), tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"rows": 12}, "should hold 4449 × 28"), ({"name": "other"}, "no MATLAB file with the variable")],
    ids=["rows", "variable"],
)
def test_another_file_is_refused(tmp_path: Path, change: dict, said: str) -> None:
    write(tmp_path / "raw", **change)
    with pytest.raises(BenchError, match=said):
        prepare(SarcosSample(), tmp_path)


@pytest.mark.parametrize("content", [b"", b"MATLAB, or not" * 30])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "sarcos_inv_test.mat").write_bytes(content)
    with pytest.raises(BenchError, match="download it again"):
        prepare(SarcosSample(), tmp_path)


def test_splits_leave_training_rows() -> None:
    with pytest.raises(BenchError, match="leave some of the 4449 rows"):
        SarcosSample(val=449, test=4000)
