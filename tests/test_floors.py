"""Imports point down only, no method is named outside methods/ and configs/, and every name stands for one thing."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mtl_bench"
GROUND = {"errors", "kinds", "streams", "vision", "__init__"}
MAY_IMPORT: dict[str, set[str]] = {  # ground up
    "pictures": set(),
    "records": set(),
    "configuration": {"records"},
    "tasks": set(),
    "data": {"pictures", "records", "tasks"},
    "models": {"records", "tasks"},
    "grouping": set(),
    "methods": {"grouping"},
    "step": {"methods"},
    "cost": {"models", "methods", "step"},
    "training": {"pictures", "records", "tasks", "data", "models", "grouping", "methods", "step"},
    "results": {"pictures", "records", "tasks"},
    "pipeline": {"records", "tasks", "grouping", "training", "results"},
    "job": {"configuration", "records", "training", "results", "pipeline"},
    "cli": {"configuration", "records", "data", "models", "methods", "cost", "training", "results", "job"},
}
STANDARD_LIBRARY_ONLY = {"records"}


def imported(path: Path) -> Iterator[str]:
    """Dotted names of every import, late ones too; type-checking blocks count, they couple just as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative path"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def rooms(path: Path) -> set[str]:
    names = [name.split(".") for name in imported(path) if name.startswith("mtl_bench.")]
    return {name[1] for name in names} - GROUND


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_down(room: str) -> None:
    files = sorted((PACKAGE / room).rglob("*.py"))
    assert files
    for path in files:
        forbidden = rooms(path) - MAY_IMPORT[room] - {room}
        assert not {name for name in forbidden if name != "__version__"}, f"{path.name} imports {forbidden}"


def test_every_module_has_a_floor() -> None:
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()} == set(MAY_IMPORT)
    assert {path.stem for path in PACKAGE.glob("*.py")} == GROUND
    floors = list(MAY_IMPORT)
    for number, room in enumerate(floors):
        assert MAY_IMPORT[room] <= set(floors[:number])


def test_ground_imports_nothing_above() -> None:
    for name in GROUND - {"__init__"}:
        assert not rooms(PACKAGE / f"{name}.py")


def test_records_need_the_standard_library_only() -> None:
    import sys

    for path in (PACKAGE / "records").glob("*.py"):
        roots = {name.split(".")[0] for name in imported(path)}
        assert roots <= set(sys.stdlib_module_names) | {"mtl_bench"}, path


def test_no_method_is_named_outside_its_room() -> None:
    """In no string, parts of f-strings included; docstrings cite papers, and examples."""
    words = ("config", "torchjd")  # a word, and a library that methods are compared with
    names = [path.stem for path in (ROOT / "configs" / "method").glob("*.yaml") if path.stem not in words]
    pattern = re.compile(rf"\b({'|'.join(names)})\b", re.IGNORECASE)
    for path in PACKAGE.rglob("*.py"):
        if "methods" not in path.parts:
            used = [text for text in strings(ast.parse(path.read_text())) if pattern.search(text)]
            assert not used, f"{path} names a method: {used}"


def strings(tree: ast.Module) -> Iterator[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    parents = [node for node in ast.walk(tree) if isinstance(node, documented)]
    docstrings = {id(node.body[0].value) for node in parents if node.body and isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_no_two_files_share_a_name() -> None:
    """But `base`, which holds what the classes of a room derive from, and the file of a room's namesake class."""
    files = [path for path in PACKAGE.rglob("*.py") if path.stem not in ("__init__", "__main__", "base")]
    names = [path.stem for path in files if path.stem != path.parent.name]
    names += [path.parent.name for path in PACKAGE.rglob("__init__.py")]
    assert not twice(names)


def test_no_two_classes_or_functions_share_a_name() -> None:
    defined = [node for path in PACKAGE.rglob("*.py") for node in ast.parse(path.read_text()).body]
    names = [node.name for node in defined if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert not twice(name for name in names if not name.startswith("_"))


def twice(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def test_files_stay_small() -> None:
    sizes = sorted(len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py"))
    assert sizes[-1] <= 350
    assert sizes[len(sizes) // 2] < 100
