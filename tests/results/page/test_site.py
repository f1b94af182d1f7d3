"""The pages as files: what they hold, where their links lead, how large they are and how long they take."""

import json
import re
import time
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.record import locate_records
from mtl_bench.results import Board, leaderboards
from mtl_bench.results.board_csv import delta_m_places
from mtl_bench.results.page import Material, printed_deltas, site_pages, write_site
from mtl_bench.results.page.board_page import BoardPage, page_names
from mtl_bench.results.page.site import embedded
from mtl_bench.results.published import printed_names, published_folder, published_tables
from mtl_bench.results.render import cells, headers, lines
from tests.results.page.conftest import NASTY, Located


class Reader(HTMLParser):
    """Texts of the table's cells row by row, anchors, and everything that points somewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.points: list[str] = []
        self.anchors: set[str] = set()
        self._open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.points += [value for name, value in given.items() if name in ("href", "src", "action") and value]
        if given.get("id"):
            self.anchors.add(str(given["id"]))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._open = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.rows[-1][-1] += data


def test_every_number_equals_the_terminals(toys: Board, pages: Mapping[str, str]) -> None:
    head, *rows = Reader(pages["toys.html"]).rows
    assert len(rows) == len(toys.rows)
    for texts, row in zip(cells(toys), rows, strict=True):
        shown = [" ".join(cell.split()) for cell in row]
        places = iter(range(1, len(shown)))
        for text in texts:  # in the same order, others between them
            assert any(shown[place] == text or shown[place].startswith(f"{text}▲") for place in places), text
    words = " ".join(" ".join(head).split())
    assert all(part.strip() in words for header in headers(toys) for part in header.replace("-\n", "").split("\n"))


def test_places_say_how_far_they_move(toys: Board, pages: Mapping[str, str]) -> None:
    """As frozen versions have it."""
    _, *rows = Reader(pages["toys.html"]).rows
    ranks = delta_m_places(toys)
    shown = {row.label: cells[0].strip() for row, cells in zip(toys.rows, rows, strict=True)}
    for row in toys.rows:
        rank = ranks.get(row.label)
        if rank is None or row.diverged:
            assert shown[row.label] == ""
            continue
        assert rank.less_a_task
        low, high = rank.less_a_task
        assert shown[row.label] == f"{rank.place:g}" + ("" if low == high else f" {low:g}–{high:g}")
    assert any("–" in text for text in shown.values())
    assert "leaving a method out moves no place by Δm" in pages["toys.html"]


def test_what_must_be_read_with_the_numbers_is_there(toys: Board, pages: Mapping[str, str]) -> None:
    text = unescape(pages["toys.html"])
    assert all(line in text for line in lines(toys))


def test_nothing_is_fetched_and_links_lead_somewhere(pages: Mapping[str, str]) -> None:
    read = {name: Reader(page) for name, page in pages.items()}
    for name, page in read.items():
        for point in page.points:
            path, _, anchor = point.partition("#")
            if path != "data:,":
                target = read[path or name]
                assert not anchor or unquote(anchor) in target.anchors, point
        assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", pages[name])
        assert "default-src 'none'" in pages[name]


def test_a_label_is_text_wherever_it_stands(pages: Mapping[str, str]) -> None:
    for page in pages.values():
        assert NASTY not in page
        assert "nasty" not in Reader(page).anchors
    data = json.loads(re.search(r'id="data">(.*?)</script>', pages["toys.html"], re.S)[1])  # type: ignore[index]
    assert NASTY in [row["label"] for row in data["rows"]]


def test_rows_say_what_made_them(pages: Mapping[str, str]) -> None:
    data = json.loads(re.search(r'id="data">(.*?)</script>', pages["toys.html"], re.S)[1])  # type: ignore[index]
    by_label = {row["label"]: row for row in data["rows"]}
    assert by_label["ls"]["commands"] == ["mtl-bench train 1 & 'more'"]
    assert data["plain"] == ["ls"]
    assert dict(by_label["skew (a=1)"]["facts"])["Provenance"] == "ours · not tuned · a=1"
    assert dict(by_label["lost"]["facts"])["Diverged"] == "seed 2"
    assert [seed for seed, *_ in by_label["even"]["runs"][0]["records"]] == [0, 1, 2]
    assert by_label["even"]["passes"] == 8
    assert by_label["ls"]["curves"]["left"]["x"] == [1, 2, 3]


def test_records_are_linked_where_they_can_be_reached(located: Located) -> None:
    material = Material(located, link=lambda path: f"../runs/{path.parent.name}")
    page = site_pages(leaderboards(material.records), material)["toys.html"]
    assert '"../runs/seed-0"' in page


def test_boards_of_one_experiment_have_pages_of_their_own(toys: Board) -> None:
    from dataclasses import replace

    other, index = replace(toys, hash="f" * 64), replace(toys, experiment="index")
    assert page_names([toys, other, index]) == ["toys-e1e1e1.html", "toys-ffffff.html", "index-e1e1e1.html"]


def test_json_cannot_end_its_element() -> None:
    assert "<" not in embedded({"</script>": "<!--"})
    assert json.loads(embedded({"</script>": "<!--"})) == {"</script>": "<!--"}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot be created"):
        write_site(tmp_path / "file" / "site", {})


@pytest.mark.slow
def test_forty_methods_on_eight_protocols_stay_small_and_quick(located: Located, tmp_path: Path) -> None:
    """From files to files: under 20 s of processor time and 3 MB, 20 evaluations a run, printed numbers beside them."""
    folder = tmp_path / "many"
    for board in range(8):
        for path, record in located:
            if record["method"]["name"] == "single":
                save(folder, path, {**record, "experiment": {"name": f"p{board}", "hash": f"{board}0" * 32}})
            elif record["method"]["name"] == "ls":
                for number in range(40):
                    save(folder, path, changed(record, board, number))
    started = time.process_time()
    located = locate_records([folder])
    printed = printed_deltas(published_tables(published_folder()), printed_names(published_folder()))
    material = Material(located, printed=printed)
    pages = site_pages(leaderboards(material.records), material)
    write_site(tmp_path / "site", pages)
    spent = time.process_time() - started
    size = sum(path.stat().st_size for path in (tmp_path / "site").iterdir())
    assert len(located) == 8 * 3 * (40 + 3)
    assert len(pages) == 10
    assert "40 methods" in unescape(pages["p0.html"])
    assert spent < 20
    assert size < 3_000_000


def changed(record: Record, board: int, number: int) -> Record:
    """Another method, better or worse on every task, with 20 evaluations and measured gradients."""
    factor = 1 + 0.003 * ((number * 7 + board) % 40 - 20) + 0.001 * (record["seed"] - 1)
    test = {task: {name: value * factor for name, value in of.items()} for task, of in record["test"].items()}
    evaluations = [{**record["evaluations"][0], "batch": n, "epoch": n / 3, "val": test} for n in range(20)]
    made = {"test": test, "evaluations": evaluations, "hash": f"{board}-{number}-run"}
    names = {"method": {"name": f"m{number}", "label": f"method_{number}"}, "cosines": [[0.123] * 3] * 3}
    return {**record, **made, **names, "experiment": {"name": f"p{board}", "hash": f"{board}1" * 32}}  # type: ignore[typeddict-item]


def save(folder: Path, path: Path, record: Record) -> None:
    place = folder / record["experiment"]["name"] / record["hash"] / path.parent.name / path.name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(record))


def test_a_tuned_board_has_a_page(searched: Material) -> None:
    pages = site_pages(leaderboards(searched.records, searched.files), searched)
    assert len(pages) == 4
    name = next(name for name in pages if name.startswith("toys-tuned-3"))
    data = json.loads(re.search(r'id="data">(.*?)</script>', pages[name], re.S)[1])  # type: ignore[index]
    assert all(row["curves"] for row in data["rows"])
    provenance = {row["label"]: dict(row["facts"])["Provenance"] for row in data["rows"]}
    assert provenance["even, tuned (3 trials)"] == "ours · tuned (lr) · default options otherwise"
    assert provenance["even"] == "ours · not tuned · default options"
    assert sorted(data["plain"]) == ["ls", "ls, tuned (3 trials)"]
    assert "the one that was tuned or not as the row was, on a kind of machine that trained both" in pages[name]


def test_untuned_single_task_runs_are_no_method_of_a_tuned_board(searched: Material) -> None:
    board = next(board for board in leaderboards(searched.records, searched.files) if board.tuned_from)
    page = BoardPage("tuned", board, searched)
    assert [row.label for row in page.methods] == [row.label for row in board.rows if "single" not in row.label]
    assert page.ranking[0].places.keys() == {row.label for row in page.methods}


def test_rows_of_two_selection_rules_show_the_files_of_their_own(located: Located) -> None:
    """The rule is not part of a run's hash, and its runs lie in another folder."""
    other: Located = [
        (Path("/else") / path.relative_to("/"), {**record, "selection": "best_val"})  # type: ignore[typeddict-item]
        for path, record in located
    ]
    for _, record in other:
        record["experiment"] = {"name": "else", "hash": record["experiment"]["hash"].replace("e", "f")}
        record["test"] = {task: {name: 2 * value for name, value in of.items()} for task, of in record["test"].items()}
    material = Material([*located, *other])
    page = site_pages(leaderboards(material.records), material)["else.html"]
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    files = [path for row in data["rows"] for run in row["runs"] for _, path, _ in run["records"]]
    assert files
    assert all(path.startswith("/else") for path in files)
