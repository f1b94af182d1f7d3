"""Imports point down only, and no method is named outside methods/ and configs/."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mtl_bench"
GROUND = {"errors", "streams", "vision", "__init__"}
MAY_IMPORT = {
    "pictures": set(),
    "configuration": set(),
    "records": set(),
    "tasks": set(),
    "data": {"records", "tasks"},
    "models": {"records", "tasks"},
    "grouping": set(),
    "methods": {"grouping"},
    "step": {"methods"},
    "training": {"pictures", "records", "tasks", "data", "models", "grouping", "methods", "step"},
    "results": {"pictures", "records", "tasks"},
    "pipeline": {"records", "tasks", "grouping", "training", "results"},
    "job": {"configuration", "records", "training", "results", "pipeline"},
    "cli": {"configuration", "records", "data", "training", "results", "job"},
}
STANDARD_LIBRARY_ONLY = {"records"}


def imported(path: Path) -> Iterator[str]:
    """Dotted names of every import, late ones too; type-checking blocks count, they couple just as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
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


def test_every_room_has_a_floor() -> None:
    found = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert found == set(MAY_IMPORT)


def test_ground_imports_nothing_above() -> None:
    for name in GROUND - {"__init__"}:
        assert not rooms(PACKAGE / f"{name}.py")


def test_records_need_the_standard_library_only() -> None:
    import sys

    for path in (PACKAGE / "records").glob("*.py"):
        roots = {name.split(".")[0] for name in imported(path)}
        assert roots <= set(sys.stdlib_module_names) | {"mtl_bench"}, path


def test_no_method_is_named_outside_its_room() -> None:
    names = [path.stem for path in (ROOT / "configs" / "method").glob("*.yaml")]
    distinctive = [name for name in names if name not in ("fixed", "priority")]  # ordinary words
    pattern = re.compile(rf"\b({'|'.join(distinctive)})\b", re.IGNORECASE)
    for path in PACKAGE.rglob("*.py"):
        if "methods" in path.parts:
            continue
        strings = {node.value for node in ast.walk(ast.parse(path.read_text())) if _is_code_string(node)}
        used = {name for name in strings if isinstance(name, str) and pattern.fullmatch(name)}
        assert not used, f"{path} names {used}"


def _is_code_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_files_stay_small() -> None:
    sizes = sorted(len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py"))
    assert sizes[-1] <= 350
    assert sizes[len(sizes) // 2] < 100
