"""A method that cannot run on a board says so there, in its own words."""

import csv
from html import unescape
from pathlib import Path

import pytest

from mtl_bench.cli.unserved import unserved
from mtl_bench.records.record import find_records
from mtl_bench.results import leaderboards
from tests.cli.conftest import Type

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
WHY = "CSO reads priorities from encoder norms per task, which this model has none of; set model.task_norm=true."


@pytest.mark.parametrize(("experiment", "found"), [("rooms", {"cso": WHY}), ("rooms_task_norm", {}), ("sarcos", {})])
def test_what_cannot_run_is_asked_and_the_rest_is_only_missing(experiment: str, found: dict[str, str]) -> None:
    boards = leaderboards(find_records([REFERENCE / experiment / "ls"]))
    assert unserved(next(board for board in boards if board.experiment == experiment)) == found


def test_it_is_a_row_of_pages_and_of_csv(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("report", str(REFERENCE / "rooms" / "ls"), "--csv", "board.csv", "--html", "site")
    assert typed.status == 0, typed.err
    *rest, last = csv.DictReader((folder / "board.csv").read_text().splitlines())
    assert (last["method"], last["cannot_run"], last["place"], last["delta_m"]) == ("cso", WHY, "", "")
    assert {row["cannot_run"] for row in rest} == {""}
    assert f"cannot run here: {WHY}" in unescape((folder / "site" / "rooms.html").read_text())
