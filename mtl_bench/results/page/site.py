"""The pages of a leaderboard: made as text, and written into a folder."""

import json
import re
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mtl_bench.errors import BenchError, Damaged
from mtl_bench.records.atomic import write_atomic
from mtl_bench.results.board import Board
from mtl_bench.results.page.board_page import BoardPage, page_names
from mtl_bench.results.page.material import Material
from mtl_bench.results.render import signed
from mtl_bench.results.table_text import signed_number

ASSETS = Path(__file__).parent / "assets"
# in this order: a script uses what those before it define
SCRIPTS = ("draw", "sortable", "table", "details", "cost", "definitions", "tasks", "curves", "gradients", "start")
INDEX, PUBLISHED = "index.html", "published.html"
JOINT = re.compile(r"(?<=[=_/,])")  # where a long label may break


def site_pages(boards: Sequence[Board], material: Material, damaged: list[Damaged] | None = None) -> dict[str, str]:
    """File name → page: one per board, an index, and one of the printed numbers where there are any.

    Histories that cannot be read are told to `damaged`; None: the first one is raised.
    """
    pages = [BoardPage(name, board, material) for name, board in zip(page_names(boards), boards, strict=True)]
    pages.sort(key=lambda page: page.name)
    environment = _environment()
    index = environment.get_template(INDEX)
    listed = {"printed": material.printed, "style": _style(), "script": _script("sortable", "list")}
    made = {INDEX: index.render(pages=pages, **listed)}
    if material.printed:
        made[PUBLISHED] = environment.get_template(PUBLISHED).render(**listed)
    for page in pages:
        made[page.name] = environment.get_template("board.html").render(
            page=page, pages=pages, data=embedded(page.data(damaged)), style=_style(), script=_script(*SCRIPTS)
        )
    return made


def write_site(folder: Path, pages: dict[str, str]) -> None:
    """Raises BenchError when the folder cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"{folder} cannot be created ({error.strerror}); choose another folder.") from error
    for name, text in pages.items():
        write_atomic(folder / name, text)


def embedded(value: Any) -> str:
    """JSON that can stand inside a script element, whatever a label says."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


@cache
def _environment() -> Environment:
    made = Environment(loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined)
    made.trim_blocks = made.lstrip_blocks = True
    made.filters |= {"signed": signed, "places": partial(signed_number, places=1), "pieces": JOINT.split}
    return made


@cache
def _style() -> str:
    return (ASSETS / "style.css").read_text()


@cache
def _script(*names: str) -> str:
    return "\n".join((ASSETS / f"{name}.js").read_text() for name in names)
