"""The tables of methods leave no preset out, and stand where the page asks for them."""

import re

from mtl_bench.cli.method_facts import FAMILIES, facts
from tests.docs.pages import DOCS, ROOT, hook

PRESETS = sorted((ROOT / "configs" / "method").glob("*.yaml"))


def test_every_preset_has_a_row_with_a_link_to_its_report_card() -> None:
    text = hook("docs_methods").on_page_markdown((DOCS / "methods.md").read_text(), None, None, None)
    rows = dict(re.findall(r"^\| \[`(\w+)`\]\(([\w/.]+)\) \|", text, re.M))
    assert list(rows) == sorted(rows, key=lambda name: (list(FAMILIES.values()).index(_family(name)), name))
    assert set(rows) == {path.stem for path in PRESETS}
    assert set(rows.values()) == hook("docs_cards").pages().keys()


def test_rows_are_whole() -> None:
    lines = [line for line in hook("docs_methods").tables("").splitlines() if line.startswith("|")]
    assert len(lines) == len(PRESETS) + 2 * len(set(FAMILIES.values()))
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {8}


def _family(name: str) -> str:
    return facts(ROOT / "configs" / "method" / f"{name}.yaml").family
