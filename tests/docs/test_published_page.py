"""The page of published tables shows what its command prints."""

from mtl_bench.results.published import audit_markdown, known_exceptions, published_folder, published_tables
from tests.docs.pages import DOCS


def test_the_audit_on_the_page_is_what_the_command_prints() -> None:
    folder = published_folder()
    printed = audit_markdown(published_tables(folder), known_exceptions(folder))
    assert (DOCS / "boards" / "published.md").read_text().endswith(printed)
