"""Report cards in the documentation: one per preset, with what the terminal shows, and whole tables."""

import re

from mtl_bench.cli.fidelity import card_text
from tests.docs.pages import ROOT, hook

PRESETS = sorted((ROOT / "configs" / "method").glob("*.yaml"))


def test_every_preset_has_a_page_with_its_text_and_its_boards() -> None:
    pages = hook("docs_cards").pages()
    assert list(pages) == [f"methods/{path.stem}.md" for path in PRESETS]
    for path in PRESETS:
        page = pages[f"methods/{path.stem}.md"]
        assert card_text(path).split("\n\n")[0].replace("<", "&lt;") in page.replace("\\]", "]")
        assert "## Fidelity" in page
        held = any((ROOT / "results" / "reference" / "rooms" / path.stem).rglob("record.json"))
        assert ("](../leaderboard/rooms.html)" in page) == held


def test_tables_are_whole() -> None:
    for path, text in hook("docs_cards").pages().items():
        for block in re.findall(r"(?:^\|.*\n?)+", text, re.M):
            widths = {len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", row))) for row in block.splitlines()}
            assert len(widths) == 1, f"{path}:\n{block[:400]}"
