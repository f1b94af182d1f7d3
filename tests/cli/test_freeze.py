"""`mtl-bench freeze`: the committed boards as a version, in a folder of its own."""

import csv
from pathlib import Path

from tests.cli.conftest import Type

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


def test_a_version_of_a_committed_board_is_written_once_and_checked(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("freeze", str(REFERENCE / "rooms"), "--into", "board")
    assert typed.status == 0, typed.err
    assert typed.out.startswith("board/v1: 1 board, ")
    (path,) = (folder / "board/v1").glob("rooms-*.suite-rooms.csv")
    with path.open() as file:
        table = {row["method"]: row for row in csv.DictReader(file)}
    assert (table["uw"]["place"], table["uw"]["mean_rank"]) == ("1", "2.222222222")
    again = mtl_bench("freeze", str(REFERENCE / "rooms"), "--into", "board")
    assert again.status == 1
    assert again.sentence == "mtl-bench: Nothing is new since board/v1: the same records give the same boards."
    check = mtl_bench("freeze", "--into", "board", "--check")
    assert (check.status, check.out) == (0, "1 frozen version below board, unchanged.\n")
    elsewhere = mtl_bench("freeze", "--into", "bored", "--check")
    assert elsewhere.status == 1
    assert elsewhere.sentence == "mtl-bench: There is no folder bored; name where frozen versions lie with --into."
    path.write_text("method\n")
    broken = mtl_bench("freeze", "--into", "board", "--check")
    assert broken.status == 1
    assert f"board/v1/{path.name} is not what was frozen" in broken.sentence
