"""QM9 from the files that MoleculeNet and PyTorch Geometric distribute: eleven properties of small molecules."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float64, Int64

from mtl_bench.data.benchmarks.whole_files import WholeFiles, find_file
from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats import gdb9_sdf
from mtl_bench.data.formats.gdb9_sdf import (
    ATOMS,
    COLUMNS,
    MOLECULES,
    REMEDIES,
    SKIPPED,
    TARGETS,
    read_molecule,
    read_molecules,
    read_skipped,
    read_targets,
)
from mtl_bench.data.official import Inventory, Sample, Tally
from mtl_bench.errors import BenchError


@dataclass(frozen=True, kw_only=True)
class QM9(WholeFiles):
    """QM9 (Ramakrishnan et al. 2014): 130,831 molecules with targets as in Navon et al. (ICML 2022).

    The molecules that failed the authors' check are left out. `val` and `test` molecules are drawn with `data_seed`;
    which ones papers drew is not published. A molecule is stored as an image of one channel and 29 rows, an atom each:
    its number, its place in Å, and its bonds to all atoms (1, 2, 3; 0 for none); rows of zeros follow the last atom.
    Targets are standardised by the training molecules, energies of atomization in place of total ones. `row` is the
    position in the files.

    Raises BenchError for a `val` or `test` below 1, and in `find` when they leave no training molecule.
    """

    pictured: ClassVar[bool] = False
    name: str = "qm9"
    val: int = 10_000
    test: int = 10_000
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.val, self.test) < 1:
            raise BenchError(f"Dataset {self.name}: val={self.val} and test={self.test} must be at least 1.")

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("float32", (1, ATOMS, 4 + ATOMS), "float"),
            **{name: Field("float32", (1,), "float") for name in COLUMNS},
            "row": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        source = "QM9, files of MoleculeNet"
        paths = {name: find_file(folder, name) for name in REMEDIES}
        tallies = [Tally("", name, int(path.is_file()), int(not path.is_file())) for name, path in paths.items()]
        if missing := [f"{path} is missing; {REMEDIES[name]}." for name, path in paths.items() if not path.is_file()]:
            return Inventory(source, {}, tallies, fatal=missing)
        read_molecules(paths[MOLECULES])
        samples = {
            split: [Sample(f"molecule {row + 1}", paths, row) for row in rows.tolist()]
            for split, rows in self.split(paths[SKIPPED]).items()
        }
        tallies += [Tally(split, "molecules", len(found)) for split, found in samples.items()]
        return Inventory(source, samples, tallies)

    def read(self, sample: Sample) -> Arrays:
        mean, std = _training_statistics(self, sample.files[TARGETS], sample.files[SKIPPED])
        targets = (read_targets(sample.files[TARGETS])[sample.row] - mean) / std
        return {
            "image": read_molecule(sample.files[MOLECULES], sample.row)[None],
            **{name: np.array([value], np.float32) for name, value in zip(COLUMNS, targets, strict=True)},
            "row": np.array(sample.row, np.int32),
        }

    def split(self, skipped: Path) -> dict[str, Int64[np.ndarray, "rows"]]:
        """The rows of every split."""
        kept = np.setdiff1d(np.arange(gdb9_sdf.COUNT), list(read_skipped(skipped)))
        if self.val + self.test >= len(kept):
            raise BenchError(
                f"Dataset {self.name}: val={self.val} and test={self.test} leave none of {len(kept)} molecules."
            )
        order = np.random.RandomState(self.data_seed).permutation(kept)  # a frozen stream
        test, val, train = np.split(order, [self.test, self.test + self.val])
        return {"train": np.sort(train), "val": np.sort(val), "test": np.sort(test)}


@lru_cache(maxsize=1)
def _training_statistics(
    dataset: QM9, targets: Path, skipped: Path
) -> tuple[Float64[np.ndarray, "11"], Float64[np.ndarray, "11"]]:
    values = read_targets(targets)[dataset.split(skipped)["train"]]
    return values.mean(axis=0), values.std(axis=0)
