"""What is installed with the package is what it imports."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BY_NAME = ("import_module", "_load")  # functions that import what their argument names: mtl_bench/vision.py's too


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


def roots(path: Path) -> Iterator[str]:
    """First names of all imports, late ones and those for type checking too."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name.partition(".")[0] for alias in aliases)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=str(name))]):
                if called in BY_NAME:
                    yield name.partition(".")[0]


@cache
def imported() -> dict[str, set[str]]:
    """Every import of the package from outside the standard library → the distributions that provide it."""
    found = {root for path in (ROOT / "mtl_bench").rglob("*.py") for root in roots(path)}
    provided = packages_distributions()
    outside = found - sys.stdlib_module_names - {"mtl_bench"}
    return {root: {canonicalize_name(name) for name in provided.get(root, ())} for root in outside}


def test_late_and_indirect_imports_are_seen() -> None:
    assert {"torchvision", "timm", "sklearn", "wandb", "matplotlib"} <= imported().keys()


def test_everything_that_is_declared_is_imported() -> None:
    assert names(PROJECT["dependencies"]) - set().union(*imported().values()) == set()


def test_everything_that_is_imported_is_declared() -> None:
    extras = [one for extra in PROJECT["optional-dependencies"].values() for one in extra]
    declared = names([*PROJECT["dependencies"], *extras])
    assert {root for root, providers in imported().items() if not providers & declared} == set()
