"""Inverse dynamics of a robot arm: seven torques from positions, velocities and accelerations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.formats.sarcos_mat import FILE, INPUTS, ROWS, TORQUES, read_sarcos
from mtl_bench.data.packed import Field, Manifest, write_packed
from mtl_bench.errors import BenchError

TASKS = tuple(f"torque_{joint}" for joint in range(1, TORQUES + 1))


@dataclass(frozen=True)
class SarcosSample(Dataset):
    """The 4,449 official test rows of SARCOS, split anew: a small table for task grouping, never the SARCOS benchmark.

    The official training rows are not used: the test rows are widely reported to occur in them too. `data_seed` draws
    `val` and `test` rows, the rest trains. The 21 inputs and seven torques are standardised with the mean and standard
    deviation of the training rows, so a task's mse is its nMSE (1: predicting the mean). Rows are stored as images of
    21 channels and one pixel.

    Raises BenchError when `val` and `test` leave no training row.
    """

    name: str = "sarcos"
    val: int = 449
    test: int = 2000
    data_seed: int = 0

    def __post_init__(self) -> None:
        if self.val < 1 or self.test < 1 or self.val + self.test >= ROWS:
            raise BenchError(
                f"Dataset {self.name}: val={self.val} and test={self.test} must be at least 1 and leave some of the "
                f"{ROWS} rows for training."
            )

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("float32", (INPUTS, 1, 1), "float"),
            **{t: Field("float32", (1,), "float") for t in TASKS},
        }

    def pack(self, folder: Path, raw: Path, source: Path | None) -> Manifest:
        table = read_sarcos([raw] if source is None else [source])
        order = np.random.RandomState(self.data_seed).permutation(len(table))  # a frozen stream: the same on any NumPy
        test, val, train = np.split(order, [self.test, self.test + self.val])
        table = (table - table[train].mean(axis=0)) / table[train].std(axis=0)
        parts = {"train": np.sort(train), "val": np.sort(val), "test": np.sort(test)}
        arrays = {split: _columns(table[rows].astype(np.float32)) for split, rows in parts.items()}
        return write_packed(folder, self.name, arrays, self.fields, FILE, self.parameters)


def _columns(rows: np.ndarray) -> dict[str, np.ndarray]:
    torques = {task: rows[:, INPUTS + joint, None] for joint, task in enumerate(TASKS)}
    return {"image": rows[:, :INPUTS, None, None], **torques}
