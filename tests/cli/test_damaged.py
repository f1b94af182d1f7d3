"""One damaged file stops nobody but its own run: it is named, the rest goes on, and the exit status tells."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mtl_bench.records.record import find_records, load_record
from tests.cli.conftest import FAST, SMALL_ROOMS, Type

DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:500]),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "another type": lambda path: path.write_text("[]"),
}


@pytest.fixture
def trained(mtl_bench: Type, folder: Path) -> Path:
    """`ls` and `uw` with their baselines, one seed."""
    assert mtl_bench("train", "-m", *FAST, "method=ls,uw", "single_task=true").status == 0
    return folder / "runs" / "multidigits"


def record_of(trained: Path, method: str, task: str = "left") -> Path:
    return next(path for path in trained.glob(f"{method}/*/*/record.json") if task in load_record(path)["tasks"])


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_report_goes_on(damage: Callable[[Path], object], trained: Path, mtl_bench: Type) -> None:
    damage(record_of(trained, "ls"))
    typed = mtl_bench("report")
    assert typed.status == 1
    assert len(typed.err.splitlines()) == 1
    assert "/ls/" in typed.err
    assert "record.json is damaged" in typed.err
    assert "Δm % ↑" in typed.words
    assert " uw " in typed.words


def test_a_damaged_baseline_leaves_delta_m_out_of_the_report(trained: Path, mtl_bench: Type) -> None:
    record_of(trained, "single").write_text("{")
    typed = mtl_bench("report")
    assert typed.status == 1
    assert "single-task runs of left are missing" in typed.words
    assert "/single/" in typed.sentence


def test_delta_m_of_a_run_goes_on(trained: Path, train: Type) -> None:
    """The damaged record is none of its baselines."""
    record_of(trained, "uw").write_text("{")
    typed = train("method=rlw")
    assert typed.status == 0, typed.err
    assert "% (one_per_task, higher is better) against single-task" in typed.words
    assert typed.out.count("record.json is damaged") == 1


def test_a_damaged_baseline_does_not_stop_the_others(trained: Path, train: Type) -> None:
    lost, kept = record_of(trained, "single", "left"), record_of(trained, "single", "right")
    lost.write_text("{")
    kept.unlink()
    typed = train("method=rlw", "single_task=true")
    assert typed.status == 1
    assert "record.json is damaged" in typed.sentence
    assert str(lost.relative_to(trained.parents[1])) in typed.sentence
    assert kept.is_file()
    assert record_of(trained, "rlw").is_file()


def test_a_damaged_namesake_is_named_and_trained_anew(mtl_bench: Type, trained: Path) -> None:
    lost = record_of(trained, "single")
    other = trained.with_name("of_another_name") / lost.relative_to(trained)
    other.parent.mkdir(parents=True)
    lost.rename(other)
    other.write_text("{")
    typed = mtl_bench("train", *FAST, "only=[left]")
    assert typed.status == 0, typed.err
    assert "of_another_name" in typed.sentence
    assert lost.is_file()


def test_pictures_of_the_other_runs_are_drawn(mtl_bench: Type, folder: Path) -> None:
    small = [*SMALL_ROOMS, "model.width=4"]
    for amount in (2, 3):
        typed = mtl_bench("train", *small, f"protocol.training.budget.amount={amount}", "diagnostics.every=1")
        assert typed.status == 0, typed.err
    first, second = sorted(folder.glob("runs/rooms_quick/ls/*/seed-0"))
    (first / "predictions.npz").write_bytes(b"PK")
    (second / "history.jsonl").write_text('{"diagnostics": \n')
    typed = mtl_bench("report", "--predictions", "page.png", "--findings", "found.png")
    assert typed.status == 1
    assert len(typed.err.splitlines()) == 2
    assert "predictions.npz is damaged" in typed.err
    assert "history.jsonl is damaged" in typed.err
    assert len(list(folder.glob("page*.png"))) == 1
    assert len(list(folder.glob("found*.png"))) == 1


def test_a_grouping_trains_what_it_can(mtl_bench: Type, folder: Path) -> None:
    group = ["group", "experiment=rooms_quick", *SMALL_ROOMS, "model.width=4", "seeds=[0]", "budget=2", "grouping=hoa"]
    assert mtl_bench(*group).status == 0
    (entry,) = folder.glob("runs/rooms_quick/entries/*.json")
    before = entry.read_text()
    entry.unlink()
    lost, kept = sorted(folder.glob("runs/rooms_quick/single/*/seed-0/record.json"))[:2]
    lost.write_text("{")
    kept.unlink()
    typed = mtl_bench(*group)
    assert typed.status == 1
    assert "record.json is damaged" in typed.sentence
    assert kept.is_file()
    assert not entry.exists()
    lost.unlink()
    assert mtl_bench(*group).status == 0
    assert entry.read_text() == before


def test_an_entry_without_a_run_does_not_stop_the_report(mtl_bench: Type, folder: Path) -> None:
    group = ["group", "experiment=rooms_quick", *SMALL_ROOMS, "model.width=4", "seeds=[0]", "budget=2"]
    assert mtl_bench(*group, "grouping=random").status == 0
    for record in folder.glob("runs/rooms_quick/*/*/*/record.json"):
        record.write_text("{")
    typed = mtl_bench("report")
    assert typed.status == 1
    assert typed.out.startswith("multidigits · ")
    assert "whose record is not in these folders" in typed.err
    assert len(find_records([folder / "runs"], [])) == 1
