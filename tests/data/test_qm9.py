"""QM9: molecules and targets are read exactly, and what is wrong with the files is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats import gdb9_sdf
from mtl_bench.data.formats.gdb9_sdf import COLUMNS, MOLECULES, SKIPPED, TARGETS
from mtl_bench.data.qm9 import QM9
from mtl_bench.errors import BenchError
from tests.data.gdb9_files import CSV, write_qm9

SIZE, LEFT_OUT = 34, [12, 17]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdb9_sdf, "COUNT", SIZE)
    monkeypatch.setattr(gdb9_sdf, "LEFT_OUT", len(LEFT_OUT))
    gdb9_sdf.read_molecules.cache_clear()
    gdb9_sdf.read_targets.cache_clear()


def test_every_field_is_the_files(tmp_path: Path) -> None:
    tables, values = write_qm9(tmp_path / "raw" / "qm9", SIZE, LEFT_OUT)
    packed = prepare(QM9(val=5, test=6), tmp_path)
    assert packed.manifest.splits == {"train": 21, "val": 5, "test": 6}
    training = packed.arrays("train")["row"]
    seen: list[int] = []
    for split in packed.manifest.splits:
        arrays = packed.arrays(split)
        seen += arrays["row"].tolist()
        np.testing.assert_array_equal(arrays["image"][:, 0], tables[arrays["row"]])
        for name, (column, _) in COLUMNS.items():
            raw = values[:, CSV.split(",").index(column) - 1]  # units cancel
            expected = (raw - raw[training].mean()) / raw[training].std()
            np.testing.assert_allclose(arrays[name][:, 0], expected[arrays["row"]], rtol=1e-4, atol=1e-6)
    assert sorted([*seen, *(number - 1 for number in LEFT_OUT)]) == list(range(SIZE))


def change(name: str, old: str, new: str) -> Callable[[Path], None]:
    def made(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return made


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / MOLECULES).unlink(), r"gdb9\.sdf is missing; download qm9\.zip of MoleculeNet"),
        (lambda folder: (folder / SKIPPED).unlink(), r"uncharacterized\.txt is missing; download uncharacterized\.txt"),
        (change(MOLECULES, "$$$$\n", ""), r"gdb9\.sdf holds 33 molecules of 34; download"),
        (change(MOLECULES, " C   0", " Xe  0"), r"gdb9\.sdf is damaged in molecule \d+ \('Xe'\); download"),
        (change(TARGETS, "mu,", "nu,"), r"csv is no CSV file of QM9's targets \('mu'\); download"),
        (change(SKIPPED, "    17  ", "    12  "), r"uncharacterized\.txt names 1 molecules of 2; download"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    write_qm9(tmp_path / "source", SIZE, LEFT_OUT)
    damage(tmp_path / "source")
    with pytest.raises(BenchError, match=said):
        prepare(QM9(val=5, test=6), tmp_path, tmp_path / "source")


def test_molecules_are_left_to_train_on(tmp_path: Path) -> None:
    write_qm9(tmp_path, SIZE, LEFT_OUT)
    with pytest.raises(BenchError, match="val=30 and test=2 leave none of 32 molecules"):
        QM9(val=30, test=2).find(tmp_path)
    with pytest.raises(BenchError, match="must be at least 1"):
        QM9(val=0)
