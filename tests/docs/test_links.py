"""Every relative link and picture of README and documentation leads somewhere, headings included."""

import re
from pathlib import Path

import pytest
from markdown.extensions.toc import slugify

from tests.docs.pages import DOCS, ROOT, reference

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
BY_HOOK = ("leaderboard/index.html",)  # made by scripts/docs_boards.py
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)


def links(text: str) -> list[str]:
    found = LINK.findall(CODE.sub("", text))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub and MkDocs name them."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub(lambda m: m[0] if "\n" not in m[0] else "", text), re.M)
    plain = [re.sub(r"[`*]", "", heading) for heading in headings]
    return {slugify(heading, "-") for heading in plain} | {slugify(heading, "-", unicode=True) for heading in plain}  # type: ignore[call-arg]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_resolve(page: Path) -> None:
    made = reference().pages()
    for link in links(page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = str(target.relative_to(DOCS)) if target.is_relative_to(DOCS) else ""
        assert target.exists() or inside in (*made, *BY_HOOK), f"{page.name}: {link}"
        if anchor and target.suffix == ".md":
            text = made[inside] if inside in made else target.read_text()
            assert anchor in anchors(text), f"{page.name}: {link} names no heading of {target.name}"


def test_no_machine_is_named() -> None:
    """Paths and addresses of whoever wrote it help nobody."""
    for page in PAGES:
        assert not re.search(
            r"(?<![\w.])/(?:home|root|tmp|work)/|\b\d+\.\d+\.\d+\.\d+\b|localhost", page.read_text()
        ), page
