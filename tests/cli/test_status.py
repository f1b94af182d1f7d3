"""`mtl-bench status`: of folders, and of a sweep that is only planned."""

from pathlib import Path

import pytest

from mtl_bench.records.lock import LOCK_NAME
from mtl_bench.records.presence import note_presence
from tests.cli.conftest import FAST, Type


def test_what_was_begun(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("status")
    assert typed.status == 0, typed.err
    assert "multidigits" in typed.out
    assert "1 of 1 finished." in typed.out


def test_a_sweep_that_is_only_planned(mtl_bench: Type, folder: Path) -> None:
    before = sorted((folder / "runs").rglob("*"))
    typed = mtl_bench("status", "-m", *FAST, "method=ls,uw", "seed=0,1", "single_task=true")
    assert typed.status == 0, typed.err
    assert "1 of 8 finished; 0 under way, about" in typed.out  # four, and two tasks alone with two seeds
    assert sorted((folder / "runs").rglob("*")) == before, "nothing is written"


def test_a_run_under_way(mtl_bench: Type, folder: Path) -> None:
    other = next((folder / "runs").rglob("seed-0")).with_name("seed-7")
    other.mkdir()
    note_presence(other / LOCK_NAME, 0.42, 1.0)
    typed = mtl_bench("status", "runs")
    assert "42%" in typed.out
    assert "1 of 2 finished; 1 under way" in typed.out


def test_nothing_there_is_one_sentence(mtl_bench: Type, tmp_path: Path) -> None:
    typed = mtl_bench("status", "nowhere")
    assert typed.status == 1
    assert "No run was begun under nowhere" in typed.sentence
    typed = mtl_bench("status", "-m", *FAST, "method=nonsense")
    assert typed.status == 1
    assert "There is no method 'nonsense'" in typed.sentence


@pytest.mark.parametrize("chosen", [["experiment=rooms"], ["experiment=nyuv2_mtan"]])
def test_data_that_are_not_packed_are_left_alone(chosen: list[str], mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("status", "-m", *chosen, "method=ls,uw", "seed=0,1", "single_task=true", "paths.data=empty")
    assert typed.status == 0, typed.err
    assert "0 of 10 finished; 0 under way." in typed.out
    assert not (folder / "empty").exists()
    (line,) = typed.err.splitlines()
    assert line.startswith("empty/packed/")
    assert line.endswith("so all its cells count as not begun.")


def test_what_data_hold_that_lie_elsewhere_is_told_by_records(mtl_bench: Type) -> None:
    typed = mtl_bench("status", "-m", *FAST, "method=ls,uw", "seed=0,1", "paths.data=empty")
    assert (typed.status, typed.err) == (0, "")
    assert "1 of 4 finished" in typed.out


def test_what_cannot_be_planned_is_not_told_as_a_training(mtl_bench: Type) -> None:
    typed = mtl_bench("status", "-m", *FAST, "method=ls", "only=[left],[middle]")
    assert typed.status == 1
    assert typed.sentence.endswith("Not every cell of this sweep can be trained, see above.")
