"""Frozen versions: written as a whole, continued by the next, and never changed unnoticed."""

import json
import shutil
from pathlib import Path

import pytest

from mtl_bench.cli.freeze import filters_of
from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.results import Board, leaderboard
from mtl_bench.results.frozen import Frozen, check_frozen, freeze_files, versions
from mtl_bench.results.frozen_files import Filter, frozen_files
from tests.results.conftest import Runs

FILTERS = [Filter("all"), Filter("default", ("LS",)), Filter("suite-s", ("LS", "UW"), (0, 1, 2))]


@pytest.fixture
def records(runs: Runs, single: Runs) -> list[Record]:
    return [*runs("ls", [85] * 3, [0.4] * 3), *runs("uw", [84] * 3, [0.5] * 3), *runs("x", [1], [1.0]), *single()]


def frozen(records: list[Record], root: Path) -> Frozen:
    return freeze_files(root, frozen_files([(leaderboard(records), FILTERS)]), records, "0.1.0")


def test_the_committed_versions_are_what_was_frozen() -> None:
    check_frozen(Path(__file__).parents[2] / "results" / "leaderboard")


def test_a_version_holds_a_page_and_one_csv_per_filter(records: list[Record], tmp_path: Path) -> None:
    made = frozen(records, tmp_path)
    assert made.folder == tmp_path / "v1"
    stem = "digits-" + "e1" * 6
    names = {f"{stem}.{name}" for name in ("md", "all.csv", "default.csv", "suite-s.csv")}
    assert {path.name for path in made.folder.iterdir()} == names | {"README.md", "MANIFEST.json"}
    assert not list(tmp_path.glob(".*"))
    manifest = json.loads(made.manifest.read_text())
    assert set(manifest["files"]) == names | {"README.md"}
    assert set(manifest["records"]["digits/ls-hash"]) == {"0", "1", "2"}
    page = (made.folder / f"{stem}.md").read_text()
    assert "#### Places by Δm" in page
    assert "MR of 2 ↓" in page
    assert all(f"({name})" in (made.folder / "README.md").read_text() for name in names)


def test_an_option_that_the_yaml_sets_is_a_default(runs: Runs, single: Runs) -> None:
    labels = {"a": "imtl (weighting=IMTLL)", "b": "imtl (weighting=IMTLL, eps=1)", "c": "uw (x=1)", "d": "uw"}
    methods = [run for name in labels for run in runs(name, [85] * 2, [0.4] * 2)]
    for record in methods:
        label = labels[record["method"]["name"]]
        record["method"] = {"name": label.partition(" (")[0], "label": label}
    filters = {one.name: one.methods for one in filters_of(leaderboard([*methods, *single()]))}
    assert set(filters["default"] or ()) == {labels["a"], labels["d"]}


def test_an_experiment_may_lie_in_a_folder(records: list[Record], tmp_path: Path) -> None:
    for record in records:
        record["experiment"]["name"] = "mine/digits"
    assert (frozen(records, tmp_path).folder / f"mine-digits-{'e1' * 6}.md").is_file()


def test_an_incomplete_suite_has_no_mean_rank_and_says_why(records: list[Record], tmp_path: Path) -> None:
    files = frozen_files([(leaderboard(records), [Filter("suite-s", ("LS", "X"), (0, 1, 2))])])
    page = next(text for name, text in files.items() if name.endswith(".md") and name != "README.md")
    assert "suite-s: There is no mean rank of an incomplete grid: X with seed 1 on digits is not recorded" in page
    (table,) = (text for name, text in files.items() if name.endswith("suite-s.csv"))
    assert "mean_rank" not in table


def test_a_filter_that_repeats_another_is_left_out(records: list[Record]) -> None:
    files = frozen_files([(leaderboard(records), [Filter("all"), Filter("same", ("LS", "UW", "X"))])])
    assert len([name for name in files if name.endswith(".csv")]) == 1


def test_the_next_version_continues_the_last(records: list[Record], runs: Runs, tmp_path: Path) -> None:
    frozen(records, tmp_path)
    with pytest.raises(BenchError, match="Nothing is new since"):
        frozen(records, tmp_path)
    frozen([*records, *runs("y", [70] * 3, [0.6] * 3)], tmp_path)
    assert [one.version for one in versions(tmp_path)] == [1, 2]
    assert check_frozen(tmp_path) == 2


def test_a_clock_makes_no_version_and_a_value_does(records: list[Record], tmp_path: Path) -> None:
    frozen(records, tmp_path)
    files = frozen_files([(leaderboard(records), FILTERS)])
    records[0]["measured"]["started"] = "2026-01-01T00:00:00"
    with pytest.raises(BenchError, match="Nothing is new"):
        freeze_files(tmp_path, files, records, "0.2.0")
    records[0]["val"] = {"left": {"accuracy": 1.0}}
    assert freeze_files(tmp_path, files, records, "0.2.0").version == 2


@pytest.mark.parametrize("harm", ["changed", "added", "removed"])
def test_a_changed_file_is_named(records: list[Record], tmp_path: Path, harm: str) -> None:
    made = frozen(records, tmp_path)
    path = made.folder / ("new.csv" if harm == "added" else "README.md")
    path.unlink(missing_ok=True) if harm == "removed" else path.write_text("x")
    with pytest.raises(BenchError, match=rf"{path.name} is not what was frozen; restore it from git"):
        check_frozen(tmp_path)
    with pytest.raises(BenchError, match="is not what was frozen"):
        frozen(records, tmp_path)


def test_a_version_cannot_be_made_anew_with_its_manifest(records: list[Record], runs: Runs, tmp_path: Path) -> None:
    frozen(records, tmp_path)
    frozen([*records, *runs("y", [70] * 3, [0.6] * 3)], tmp_path)
    other = tmp_path / "other"
    frozen(records[3:], other)
    shutil.rmtree(tmp_path / "v1")
    with pytest.raises(BenchError, match="v1 is missing"):
        check_frozen(tmp_path)
    shutil.copytree(other / "v1", tmp_path / "v1")
    with pytest.raises(BenchError, match=r"v2/MANIFEST.json does not continue v1"):
        check_frozen(tmp_path)


def test_a_damaged_manifest_is_named(records: list[Record], tmp_path: Path) -> None:
    frozen(records, tmp_path).manifest.write_text("{")
    with pytest.raises(BenchError, match=r"MANIFEST.json cannot be read"):
        check_frozen(tmp_path)


def test_nothing_is_left_where_nothing_can_be_written(records: list[Record], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BenchError, match="cannot be written"):
        frozen(records, tmp_path / "file" / "board")


def test_what_cannot_run_is_a_row_of_the_filters_that_name_it(board: Board) -> None:
    filters = [Filter("all"), Filter("some", ("LS", "CSO")), Filter("other", ("MGDA",))]
    files = frozen_files([(board, filters)], lambda _: {"CSO": "It needs norms, which are not there."})
    rows = {name: text for name, text in files.items() if "It needs norms" in text}
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in rows if name.endswith(".csv")} == {"all", "some"}
    (page,) = (text for name, text in rows.items() if name.endswith(".md"))
    assert "- Cannot run here: CSO. It needs norms, which are not there.\n" in page
