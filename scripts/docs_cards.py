"""Report cards of the methods in the documentation (a hook of `mkdocs.yml`): `methods/<name>.md`, one per preset.

They hold what `mtl-bench card NAME` prints, with links to the class and to the pages of the boards.
"""

import re
from functools import cache
from pathlib import Path

from docs_nav import filled
from docs_tables import cell, plain, table
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from mtl_bench.cli.card import card_parts
from mtl_bench.cli.fidelity import card_text
from mtl_bench.cli.listing import describe
from mtl_bench.cli.method_facts import texts_of
from mtl_bench.cli.preset_label import preset_label
from mtl_bench.records.entry import EntryFile, find_entries
from mtl_bench.records.record import find_records
from mtl_bench.results import Board, leaderboards
from mtl_bench.results.appearances import Appearance, appearances
from mtl_bench.results.card_parts import CardPart
from mtl_bench.results.page.board_page import page_names

ROOT = Path(__file__).parents[1]
METHODS = ROOT / "configs" / "method"
REFERENCE = ROOT / "results" / "reference"
FOLDER = "methods/"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    entries = [{Path(path).stem: path} for path in pages()]
    config.nav = filled(config.nav or [], lambda folder: entries if folder == FOLDER else [])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


@cache
def pages() -> dict[str, str]:
    """Path in the site → Markdown."""
    return {f"{FOLDER}{path.stem}.md": _page(path) for path in sorted(METHODS.glob("*.yaml"))}


@cache
def _entries() -> list[EntryFile]:
    return find_entries([REFERENCE])


@cache
def _boards() -> list[Board]:
    return leaderboards(find_records([REFERENCE]), _entries(), label_of=preset_label)


def _page(path: Path) -> str:
    found = appearances(path.stem, _boards())
    kind = next(iter(texts_of(path)), "")
    parts = [
        f"# {path.stem}",
        f"{describe(path)}.",
        f"```bash\nmtl-bench card {path.stem}\n```",
        plain(card_text(path)),
    ]
    parts += [f"Arguments: [`{kind}`](../reference/methods/{kind}.md)."] if kind else []
    links = _links(found)
    return "\n\n".join([*parts, *(_part(part, links) for part in card_parts(path, found, _entries()))])


def _links(found: list[Appearance]) -> dict[str, str]:
    """Name of a row in the tables → the same as a link to the page of its board."""
    boards = _boards()
    names = dict(zip((board.hash for board in boards), page_names(boards), strict=True))
    return {one.name: f"[{one.name}](../leaderboard/{names[one.board.hash]})" for one in found}


def _part(part: CardPart, links: dict[str, str]) -> str:
    lines = [f"## {part.title}", *(re.sub(r"<", "&lt;", sentence) for sentence in part.sentences)]
    if part.head:
        head = [name.replace("\n", " ") for name in part.head]
        rows = [[links.get(row[0], cell(row[0])), *map(cell, row[1:])] for row in part.rows]
        made = table(head, rows, "").split("\n")
        made[1] = "| " + " | ".join("---" if n < part.words else "---:" for n in range(len(head))) + " |"
        lines.append("\n".join(made))
    return "\n\n".join(lines)
