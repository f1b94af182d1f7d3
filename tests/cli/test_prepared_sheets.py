"""`prepare` leaves a contact sheet of samples that are pictures, and none of others; and what it says of a pack."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.cli.preparation import SHEET, prepare_as_asked
from mtl_bench.data.formats import census_csv, gdb9_sdf
from mtl_bench.errors import BenchError
from tests.data.census_files import drawn_persons, write_census
from tests.data.gdb9_files import write_qm9
from tests.data.tiles import write_tiles

BENCHMARKS = "mtl_bench.data.benchmarks"
NODES: dict[str, dict[str, Any]] = {
    "tiles": {"_target_": "tests.data.tiles.Tiles"},
    "census": {"_target_": f"{BENCHMARKS}.census.Census", "rows": "test"},
    "qm9": {"_target_": f"{BENCHMARKS}.qm9.QM9", "val": 5, "test": 6},
}
WRITERS: dict[str, Callable[[Path], object]] = {
    "tiles": write_tiles,
    "census": lambda folder: write_census(folder, census_csv.FILES["test"], drawn_persons(21, 1)),
    "qm9": lambda folder: write_qm9(folder, 34, [12, 17]),
}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(census_csv.ROWS, census_csv.FILES["test"], 21)
    monkeypatch.setattr(gdb9_sdf, "COUNT", 34)
    monkeypatch.setattr(gdb9_sdf, "LEFT_OUT", 2)


def asked(name: str, source: Path, **other: Any) -> dict[str, Any]:
    how = {"source": source, "workers": 1, "on_error": "raise", "limit": None, "verify": False}
    return {"dataset": {"name": name, **NODES[name]}, **how, **other}


@pytest.mark.parametrize(("name", "sheets"), [("tiles", 1), ("census", 0), ("qm9", 0)])
def test_only_pictures_are_drawn(tmp_path: Path, name: str, sheets: int, capsys: pytest.CaptureFixture[str]) -> None:
    WRITERS[name](tmp_path / "source")
    prepare_as_asked(asked(name, tmp_path / "source"), tmp_path)
    assert len(list(tmp_path.glob(f"packed/{name}-*/manifest.json"))) == 1
    assert len(list(tmp_path.glob(f"packed/{name}-*/{SHEET}"))) == sheets
    assert capsys.readouterr().out.count("Look at") == sheets


def test_what_was_left_out_is_not_called_missing_for_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    source = write_tiles(tmp_path / "source")
    lost = source / "train" / "depth" / "4.npy"
    found = lost.read_bytes()
    lost.unlink()
    prepare_as_asked(asked("tiles", source, on_error="skip"), tmp_path)
    assert "packed earlier" not in caplog.text
    capsys.readouterr()
    lost.write_bytes(found)
    prepare_as_asked(asked("tiles", source), tmp_path)
    (folder,) = tmp_path.glob("packed/*")
    assert f"packed earlier; {source} is not read; delete {folder} to pack anew" in caplog.text
    told = capsys.readouterr().out.splitlines()
    at = told.index(f"{lost} is missing; download depths.zip from Tilers.")
    assert told[at - 1] == f"When it was packed this stood in the way; delete {folder} to look again:"


def test_verify_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="verify is true or false, got 'no'"):
        prepare_as_asked(asked("tiles", tmp_path, verify="no"), tmp_path)
