"""`mtl-bench card METHOD`: the sources' words, every board, and refusals; and that the file about parity is true."""

import ast
from pathlib import Path

import pytest
import yaml

from mtl_bench.cli.fidelity import card_text, compared, fidelity, origin
from mtl_bench.cli.method_facts import texts_of
from tests.cli.conftest import Type

ROOT = Path(__file__).parents[2]
REFERENCE = str(ROOT / "results" / "reference")
PARITY = ROOT / "tests" / "parity"
METHODS = ROOT / "configs" / "method"


def test_a_card_of_a_method_on_boards(mtl_bench: Type) -> None:
    typed = mtl_bench("card", "uw", f"{REFERENCE}/rooms", f"{REFERENCE}/rooms_task_norm")
    assert typed.status == 0, typed.err
    assert "Weights from one trainable log-variance" in typed.words
    assert "Options as set: 1 published, 2 other (the comment names another library, or no source)." in typed.words
    assert "UncertaintyWeighting beside TorchJD's in tests/parity: equal over sixty batches" in typed.words
    assert "2 of 2 rows compared: 2 won, 0 tied, 0 lost." in typed.words
    assert "+4.59 ±" in typed.out  # what follows moves with every row that the board gains
    assert "Worst task: normal on rooms, −9.45 ±2.21 %" in typed.words
    assert "Every seed converged, 10 in all." in typed.words
    assert max(map(len, typed.out.splitlines())) <= 80
    assert "…" not in typed.out


def test_without_committed_records_the_sources_still_speak(mtl_bench: Type) -> None:
    typed = mtl_bench("card", "cagrad")
    assert typed.status == 0, typed.err
    assert "Options as set: 1 published, 1 ours." in typed.words
    assert "There is no folder results/reference here" in typed.words


def test_a_method_on_no_board_says_so(mtl_bench: Type) -> None:
    assert "No committed board holds it." in mtl_bench("card", "cagrad", f"{REFERENCE}/rooms_quick").words


def test_refusals_are_one_sentence(mtl_bench: Type) -> None:
    for arguments, told in (
        (("cagrat",), "There is no method 'cagrat'; did you mean cagrad?"),
        (("xyzzy",), "`mtl-bench list method` names all."),
        (("uw", "nowhere"), "There is no folder nowhere"),
    ):
        typed = mtl_bench("card", *arguments)
        assert typed.status == 1
        assert told in typed.sentence


@pytest.mark.parametrize("path", sorted(METHODS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_has_a_text_and_all_its_options(path: Path) -> None:
    assert len(card_text(path)) > 40
    part = fidelity(path)
    written = yaml.safe_load(path.read_text())
    plain = [key for key, value in written.items() if not key.startswith("_") and not isinstance(value, dict)]
    assert [row[0] for row in part.rows] == plain


def test_origins_are_read_off_comments() -> None:
    assert origin("published: NYUv2; LibMTL 0.5") == "published"
    assert origin("ours: released 1+c2") == "ours"
    assert origin("all released runs") == "released"
    assert origin("the paper's words; released: by name") == "published"
    assert origin("LibMTL and TorchJD") == "other"


def test_the_file_about_parity_names_every_class_and_tests_that_are_there() -> None:
    known, imported = set(), set()
    for path in PARITY.glob("test_*.py"):
        tree = ast.parse(path.read_text())
        known |= {f"{path.stem}.{node.name}" for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mtl_bench.methods"):
                imported |= {alias.name for alias in node.names}
    listed = compared()
    assert {test for one in listed.values() for test in one["tests"]} <= known
    adapters = {"Method", "GramianWeighting", "TorchJD", "NashMTL"}  # bases, theirs, and one solved, not compared
    assert set(listed) == imported - adapters
    classes = {name for path in METHODS.glob("*.yaml") for name in texts_of(path)}
    assert set(listed) <= classes


@pytest.mark.parametrize("name", sorted(compared()))
def test_each_named_test_uses_the_class(name: str) -> None:
    for test in compared()[name]["tests"]:
        stem, _, function = test.partition(".")
        tree = ast.parse((PARITY / f"{stem}.py").read_text())
        (node,) = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == function]
        used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        shared = [one for one in tree.body if isinstance(one, ast.AnnAssign) and ast.unparse(one.target) in used]
        used |= {one.id for other in shared for one in ast.walk(other) if isinstance(one, ast.Name)}
        assert name in used, test
