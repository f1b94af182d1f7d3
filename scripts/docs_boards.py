"""Boards in the documentation (a hook of `mkdocs.yml`): tables from records, and `results/` beside the pages.

A paragraph of a page that is nothing but a link to a committed table, `[experiment](../../results/leaderboard/….md)`,
reads as a link on a code host and becomes the table itself here, with a link to every record behind it. The hash of its
setting stands there, too. `leaderboard/` holds the pages of `mtl-bench report results/reference --html`, their rows
linked to the records.
"""

import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from mtl_bench.cli.report_files import train_again
from mtl_bench.cli.unserved import unserved
from mtl_bench.records.entry import find_entries
from mtl_bench.records.record import locate_records
from mtl_bench.results import Board, leaderboards, markdown
from mtl_bench.results.page import Material, site_pages
from mtl_bench.results.render import title

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
REFERENCE = RESULTS / "reference"
SHOWN = (".md", ".png", ".csv")
AT_ROOT = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}  # pages made from files there
TABLE = re.compile(r"^\[(\w+)\]\([./]*results/leaderboard/\w+\.md\)$", re.M)
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """`results/` lies beside the pages, so that links between them hold."""
    records = (path for paths in _records().values() for path in paths)
    for path in sorted([*_shown(), *records]):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    for name, page in _pages().items():
        files.append(File.generated(config, f"leaderboard/{name}", content=page))
    return files


def on_page_markdown(text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    return LINK.sub(lambda match: _moved(match[1], page.file.src_uri), TABLE.sub(lambda match: _table(match[1]), text))


def _shown() -> Iterator[Path]:
    for path in RESULTS.rglob("*"):
        if path.suffix in SHOWN and not path.is_relative_to(REFERENCE):
            yield path


@cache
def _material() -> Material:
    located, files = locate_records([REFERENCE]), find_entries([REFERENCE])
    return Material(located, files, train_again, _from_page, refused=unserved)


def _from_page(record: Path) -> str:
    return f"../{record.resolve().relative_to(ROOT).as_posix()}"


@cache
def _every() -> list[Board]:
    return leaderboards(_material().records, _material().files)


def _boards() -> dict[str, Board]:
    return {board.experiment: board for board in _every()}


@cache
def _pages() -> dict[str, str]:
    return site_pages(_every(), _material())


@cache
def _records() -> dict[str, list[Path]]:
    """Head of a run's hash → its records, one per seed."""
    found: dict[str, list[Path]] = {}
    for path in sorted(REFERENCE.rglob("record.json")):
        found.setdefault(path.parents[1].name, []).append(path)
    return found


def _table(experiment: str) -> str:
    """As `mtl-bench report --markdown` writes it, with its records folded away below."""
    board = _boards()[experiment]
    rows = []
    for row in board.rows:
        heads = [digest[:12] for digest in row.hashes]
        runs = [f"`{head}` seed {', '.join(map(_seed, _records()[head]))}" for head in heads]
        rows.append(f"    | {row.label} | {'<br>'.join(runs)} |")
    head = f'??? note "Records of {title(board)}"'
    table = markdown(board).replace(f"### {title(board)}", f"### {experiment}", 1)  # no hash among the page's headings
    return "\n".join([table, head, "", "    | row | record of each run |", "    | --- | --- |", *rows])


def _seed(record: Path) -> str:
    """A link from a page one folder below the root, as pages of boards are."""
    return f"[{record.parent.name.removeprefix('seed-')}](../../{record.relative_to(ROOT).as_posix()})"


def _moved(link: str, page: str) -> str:
    """A link between files of the repository as one between pages of the site, where docs/ is the root."""
    here = AT_ROOT.get(page, page if page.startswith("results/") else f"docs/{page}")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(here), link))
    moved = {path: made for made, path in AT_ROOT.items()}.get(target, target.removeprefix("docs/"))
    return posixpath.relpath(moved, posixpath.dirname(page) or ".")
