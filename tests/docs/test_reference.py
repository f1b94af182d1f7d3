"""The reference leaves nothing out: methods, keys, metrics and fields of records, with the words that explain them."""

import inspect
import re
from html import unescape
from pathlib import Path
from pydoc import locate
from typing import get_type_hints

import pytest
import yaml

from mtl_bench import methods, tasks
from mtl_bench.records.entry import EntryFile
from mtl_bench.records.record import Record
from tests.docs.pages import ROOT, reference

CONFIGS = ROOT / "configs"


def test_every_exported_method_has_a_card_with_its_docstring_and_arguments() -> None:
    pages = reference().pages()
    for name in methods.__all__:
        kind = getattr(methods, name)
        if issubclass(kind, methods.Method):
            card = unescape(pages[f"reference/methods/{name}.md"]).replace("\\]", "]")
            assert inspect.getdoc(kind) in card
            for argument in inspect.signature(kind).parameters:
                assert f"| `{argument}` |" in card


def test_every_preset_stands_on_the_card_of_its_class() -> None:
    pages = reference().pages()
    for path in (CONFIGS / "method").glob("*.yaml"):
        name = yaml.safe_load(path.read_text())["_target_"].rpartition(".")[2]
        assert f"`method={path.stem}`" in pages[f"reference/methods/{name}.md"]


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_key_and_comment_of_a_yaml_is_there(path: Path) -> None:
    group = path.stem if path.parent == CONFIGS else path.parent.name
    page = unescape(reference().pages()[f"reference/configuration/{group}.md"]).replace("\\|", "|")
    text = path.read_text().partition("\nhydra:")[0]
    for line in text.splitlines():
        key, comment = re.match(r"\s*(?:- )?([\w.]+):", line), re.search(r"\s#\s*(.*)$", line)
        if comment and key:
            assert comment[1] in page, line
        if key and not line.startswith("  - ") and not line.rstrip().endswith(":"):
            assert re.search(rf"[`.]{re.escape(key[1])}`", page), line


def test_every_metric_is_there() -> None:
    page = unescape(reference().pages()["reference/metrics.md"])
    for kind in (tasks.Depth, tasks.Normals, tasks.Edges, tasks.Saliency, tasks.Regression):
        assert inspect.getdoc(kind) in page
        assert all(f"| `{metric.name}` |" in page for metric in kind().metrics)


def test_every_field_of_records_and_entries_is_there() -> None:
    page = reference().pages()["reference/record.md"]
    for kind in (Record, EntryFile):
        assert all(f"| `{key}` |" in page for key in get_type_hints(kind))
    assert "identity of dataset, tasks, model, method and the training part of the protocol" in page


def test_no_key_or_field_is_without_a_meaning() -> None:
    for path, text in reference().pages().items():
        if "configuration" in path or "record" in path:
            assert not re.search(r"^\| `.*\|\s+\|$", text, re.M), path


def test_every_argument_is_described() -> None:
    """By the docstring of its class or of one that it derives from; `outputs` and `input_shape` come from the run."""
    dotted = {
        one
        for path in CONFIGS.rglob("*.yaml")
        for one in re.findall(r"_target_: (mtl_bench\.[\w.]+)", path.read_text())
    }
    for kind in map(locate, sorted(dotted)):
        bases = [base for base in inspect.getmro(kind) if base.__module__.startswith("mtl_bench")]
        said = " ".join(inspect.getdoc(base) or "" for base in bases)
        for argument in set(inspect.signature(kind).parameters) - {"outputs", "input_shape"}:
            assert re.search(rf"\b{argument}\b", said), f"{kind.__name__}: {argument}"


def test_no_table_row_is_broken() -> None:
    """As many cells in a row as its head has: a bar in a comment or a type would add one."""
    for path, text in reference().pages().items():
        for block in re.findall(r"(?:^\|.*\n?)+", text, re.M):
            widths = {len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", row))) for row in block.splitlines()}
            assert len(widths) == 1, f"{path}:\n{block[:400]}"
