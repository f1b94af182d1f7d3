"""The tables of methods in the documentation (a hook of `mkdocs.yml`): one row per preset, from the classes.

A paragraph that is nothing but the link `[methods](reference/methods/index.md)` becomes one table per family, of what
`mtl-bench list method` shows, so that a new method stands there by itself.
"""

import re
from pathlib import Path

from docs_tables import cell, table
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from mtl_bench.cli.listing import describe
from mtl_bench.cli.method_facts import FAMILIES, Facts, facts

METHODS = Path(__file__).parents[1] / "configs" / "method"
PLACE = re.compile(r"^\[methods\]\(reference/methods/index\.md\)$", re.M)
HEAD = ("`method=`", "what it is", "needs", "passes per batch", "memory above the plain sum", "`priorities`", "source")


def on_page_markdown(text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    return PLACE.sub(lambda match: tables("methods/"), text)


def tables(cards: str) -> str:
    """`cards`: the folder that report cards lie in, seen from the page."""
    found = {path: facts(path) for path in sorted(METHODS.glob("*.yaml"))}
    parts = []
    for family in dict.fromkeys(FAMILIES.values()):  # two kinds of class are one family
        rows = [_row(path, said, cards) for path, said in found.items() if said.family == family]
        parts += [f"## {family[0].upper()}{family[1:]}", table(HEAD, rows, "")]
    return "\n\n".join(parts)


def _row(path: Path, said: Facts, cards: str) -> tuple[str, ...]:
    what = re.sub(r" \([^()]*\d{4}[^()]*\)", "", describe(path))  # the source has a column of its own
    memory = said.memory.replace(" memory", "")
    texts = (what, ", ".join(said.needs), said.passes, memory, "yes" if said.priorities else "", said.source)
    return f"[`{path.stem}`]({cards}{path.stem}.md)", *(cell(text) or "–" for text in texts)
