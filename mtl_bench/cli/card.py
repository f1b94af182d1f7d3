"""`mtl-bench card METHOD`: a method's report card, from its sources and from all committed boards."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.errors import BenchError, Damaged

if TYPE_CHECKING:
    from rich.console import Console

    from mtl_bench.records.entry import EntryFile
    from mtl_bench.results.appearances import Appearance
    from mtl_bench.results.card_parts import CardPart

REFERENCE = Path("results/reference")


def add_card_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", help="a name that `mtl-bench list method` shows")
    parser.add_argument("folders", nargs="*", type=Path, help=f"where records lie ({REFERENCE}, where there is one)")


def card(parsed: argparse.Namespace) -> None:
    from rich.console import Console

    from mtl_bench.cli.fidelity import card_text
    from mtl_bench.cli.listing import describe
    from mtl_bench.cli.record_folders import telling_damaged
    from mtl_bench.results.folding import fill

    path = preset(parsed.method)
    console = Console()

    console.print(fill(f"{parsed.method}: {describe(path)}.", console.width), style="bold", highlight=False)
    console.print()
    console.print(_filled(card_text(path), console.width), markup=False, highlight=False, soft_wrap=True)
    with telling_damaged() as damaged:
        for part in _parts(path, parsed.folders, damaged):
            _show(part, console)


def preset(method: str) -> Path:
    """Raises BenchError for a name that no YAML has."""
    from difflib import get_close_matches

    from mtl_bench.configuration.configs_folder import configs_folder

    paths = {path.stem: path for path in sorted((configs_folder() / "method").glob("*.yaml"))}
    if method not in paths:
        alike = get_close_matches(method, paths, n=1)
        choice = f"did you mean {alike[0]}?" if alike else "`mtl-bench list method` names all."
        raise BenchError(f"There is no method {method!r}; {choice}")
    return paths[method]


def card_parts(path: Path, found: "Sequence[Appearance]", files: "Sequence[EntryFile]") -> "list[CardPart]":
    from mtl_bench.cli.fidelity import fidelity
    from mtl_bench.results.card_parts import board_parts
    from mtl_bench.results.search_spread import searches_part

    return [fidelity(path), *board_parts(found), searches_part(path.stem, files)]


def _parts(path: Path, folders: Sequence[Path], damaged: list[Damaged]) -> "list[CardPart]":
    from mtl_bench.cli.fidelity import fidelity
    from mtl_bench.cli.preset_label import preset_label
    from mtl_bench.cli.record_folders import check_folders, naming_copies
    from mtl_bench.records.entry import find_entries
    from mtl_bench.records.record import find_records
    from mtl_bench.results import leaderboards
    from mtl_bench.results.appearances import appearances
    from mtl_bench.results.card_parts import CardPart

    roots = list(folders) or [REFERENCE]
    if not folders and not REFERENCE.is_dir():
        told = f"There is no folder {REFERENCE} here: name one with records, as in `mtl-bench card METHOD runs`."
        return [fidelity(path), CardPart("On boards", (told,))]
    check_folders(roots)
    records, files = find_records(roots, damaged), find_entries(roots, damaged)
    with naming_copies(roots):
        boards = leaderboards(records, files, damaged, preset_label)
    return card_parts(path, appearances(path.stem, boards), files)


def _show(part: "CardPart", console: "Console") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from mtl_bench.results.folding import fill
    from mtl_bench.results.strips import Strip, choose, parts

    console.print()
    console.print(part.title, style="bold", highlight=False)
    for sentence in part.sentences:
        console.print(fill(sentence, console.width), markup=False, highlight=False, soft_wrap=True)
    if not part.head:
        return
    columns = list(zip(*part.rows, strict=True))
    prose = len(part.head) == part.words  # sentences in cells wrap; names fold, and numbers do neither
    strips = [
        Strip(name, texts, name=n < part.words) for n, (name, texts) in enumerate(zip(part.head, columns, strict=True))
    ]
    for chosen in [strips] if prose else parts(choose(strips, console.width), console.width):
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        for strip in chosen:
            table.add_column(Text(strip.header), justify="left" if strip.name else "right", no_wrap=not prose)
        for row in zip(*(strip.texts for strip in chosen), strict=True):
            table.add_row(*map(Text, row))
        console.print()
        console.print(table)


def _filled(text: str, width: int) -> str:
    """Paragraphs as wide as the terminal; points of a list begin lines of their own."""
    from mtl_bench.results.folding import fill

    paragraphs = (re.sub(r"\n(?!\* )\s*", " ", paragraph) for paragraph in text.split("\n\n"))
    return "\n\n".join("\n".join(fill(line, width) for line in one.split("\n")) for one in paragraphs)
