"""Pages of the documentation as their readers use them: files to write and commands to type."""

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"(?:<!-- not run: (?P<why>[^\n]*) -->\n)?^```(?P<kind>\w+)(?P<head>[^\n]*)\n(?P<body>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its title (a file's name), its text, and why it is not run (empty: it is)."""

    kind: str
    title: str
    body: str
    why: str = ""

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, continuations joined, without comments and the blanks before them."""
        lines = self.body.replace("\\\n", "").splitlines()
        return [command for line in lines if (command := re.sub(r"(^|\s+)# .*", "", line).strip())]


def blocks(page: Path) -> Iterator[Block]:
    for match in FENCE.finditer(page.read_text()):
        title = re.search(r'title="([^"]*)"', match["head"])
        yield Block(match["kind"], title[1] if title else "", match["body"], match["why"] or "")


def reference() -> ModuleType:
    """The script that makes the reference."""
    return hook("docs_reference")


@cache
def hook(name: str) -> ModuleType:
    """A script that MkDocs runs; skips where the documentation's packages are not installed."""
    pytest.importorskip("mkdocs", reason="the documentation needs `pip install -e '.[docs]'`")
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / "scripts"))
