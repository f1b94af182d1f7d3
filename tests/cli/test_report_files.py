"""`mtl-bench report` into files, as a user types it."""

import csv
import re
from html import unescape
from pathlib import Path

from tests.cli.conftest import Type


def test_html_is_an_index_and_a_page_per_board(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("report", "--html", "site")
    assert (typed.status, typed.err, typed.out) == (0, "", "site/index.html: 1 board\n")
    assert {path.name for path in (folder / "site").iterdir()} == {"index.html", "multidigits.html", "published.html"}
    page = unescape((folder / "site" / "multidigits.html").read_text())
    assert "single-task runs of left, right are missing" in page
    command = r"mtl-bench train experiment=multidigits model=mlp method=ls .*budget\.amount=2.* seed=0"
    assert re.search(command, page.replace('\\"', '"'))


def test_csv_and_latex_into_files_and_on_stdout(mtl_bench: Type, folder: Path) -> None:
    assert mtl_bench("report", "--csv", "new/board.csv", "--latex", "board.tex").out == ""
    text = (folder / "new" / "board.csv").read_text()
    assert next(csv.DictReader(text.splitlines()))["method"] == "ls"
    assert mtl_bench("report", "--csv", "-").out.strip() == text.strip()
    assert mtl_bench("report", "--latex", "-").out.strip() == (folder / "board.tex").read_text().strip()


def test_several_boards_are_several_csv_files(mtl_bench: Type, folder: Path) -> None:
    """And a table on stdout stays a table beside pages."""
    (record,) = (folder / "runs").rglob("record.json")
    other = folder / "runs" / "other" / "record.json"
    other.parent.mkdir()
    text = record.read_text()
    digest = re.search(r'"name": "multidigits",\s+"hash": "(\w+)"', text)
    assert digest
    other.write_text(text.replace(digest[1], "f" * 64).replace('"name": "multidigits"', '"name": "other"', 1))
    typed = mtl_bench("report", "--csv", "board.csv", "--latex", "-", "--html", "site")
    assert typed.err == "site/index.html: 2 boards\n"
    assert typed.out.startswith("% multidigits")
    assert sorted(path.name for path in folder.glob("*.csv")) == ["board-multidigits.csv", "board-other.csv"]


def test_a_folder_that_cannot_be_made(mtl_bench: Type) -> None:
    typed = mtl_bench("report", "--html", "/proc/site")
    assert typed.status == 1
    assert typed.sentence.startswith("mtl-bench: /proc/site cannot be created")
