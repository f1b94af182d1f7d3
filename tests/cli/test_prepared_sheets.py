"""`prepare` leaves a contact sheet of samples that are pictures, and none of others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.cli.preparation import SHEET, prepare_as_asked
from mtl_bench.data.formats import census_csv, gdb9_sdf
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


@pytest.mark.parametrize(("name", "sheets"), [("tiles", 1), ("census", 0), ("qm9", 0)])
def test_only_pictures_are_drawn(tmp_path: Path, name: str, sheets: int, capsys: pytest.CaptureFixture[str]) -> None:
    WRITERS[name](tmp_path / "source")
    how = {"source": tmp_path / "source", "workers": 1, "on_error": "raise", "limit": None, "verify": False}
    prepare_as_asked({"dataset": {"name": name, **NODES[name]}, **how}, tmp_path)
    assert len(list(tmp_path.glob(f"packed/{name}-*/manifest.json"))) == 1
    assert len(list(tmp_path.glob(f"packed/{name}-*/{SHEET}"))) == sheets
    assert capsys.readouterr().out.count("Look at") == sheets
