"""What a method belongs to, needs and costs, read off its source: importing it would load torch, and a list need not
wait. Its class says most of it by what it derives from and does, its card the rest, in a sentence that begins `Cost`.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

FAMILIES = {
    "LossWeighting": "loss weighting",
    "GramianWeighting": "Gramian",
    "GradientAggregation": "direction",
    "GradientMethod": "direction",  # which may be either
    "Method": "own step",
}
LEVELS = {"feature": "features", "last_layer": "last layer"}
EVERYONES = ("Method", "ComposableMethod")  # whose state is a count of failures, and the weighting inside
ROOT = Path(__file__).parents[1]
TARGET = re.compile(r"_target_: mtl_bench\.(\S+)\.(\w+)")
COST = re.compile(r"Cost(?: [^:.]*)?: (.+)", re.S)
MEMORY = re.compile(r"\b(memory|numbers|scalars)\b")
TYPED = re.compile(r"mtl-bench train .*\b(model\.task_norm=true)")  # what its command adds
HOST_COPY = re.compile(r"\bhost cop(?:y|ies)\b", re.I)
SOURCE = re.compile(r"\(([^()]*\b(?:(?:19|20)\d\d|arXiv \d{4}\.\d{5}))\b[^()]*\)")


class Facts(NamedTuple):
    """Empty where the source does not say. `needs`: what a model, a loop or a device has to give beyond one backward;
    `memory`: above the plain sum.
    """

    family: str = ""
    needs: tuple[str, ...] = ()
    passes: str = ""
    memory: str = ""
    priorities: bool = False  # whether it takes them
    source: str = ""


def facts(path: Path) -> Facts:
    """Of the method that a YAML configures; one of somebody else's package has none."""
    text = path.read_text()
    targets = TARGET.findall(text)
    if not targets:
        return Facts()
    lineage, *inside = [list(_lineage(ROOT / f"{module.replace('.', '/')}.py", name)) for module, name in targets]
    costs = [_cost(node) for node in lineage]
    names = [node.name for node in lineage]
    papers = (SOURCE.search(ast.get_docstring(node) or "") for node in lineage)
    return Facts(
        next(FAMILIES[name] for name in names if name in FAMILIES),
        (*TYPED.findall(text), *dict.fromkeys(need for one in (lineage, *inside) for need in _needs(one))),
        ", ".join(next((passes for passes, _, _ in costs if passes), [])),
        ", ".join(next((memory for _, memory, _ in costs if memory), ["none"])).replace("no memory", "none"),
        "Prioritised" in names,
        next((" ".join(paper[1].split()) for paper in papers if paper), ""),
    )


def texts_of(path: Path) -> dict[str, str]:
    """Class → docstring of the method that a YAML configures, and of what it is composed with."""
    nodes = [next(_lineage(ROOT / f"{at.replace('.', '/')}.py", name)) for at, name in TARGET.findall(path.read_text())]
    return {node.name: ast.get_docstring(node) or "" for node in nodes}


def _lineage(path: Path, name: str) -> Iterator[ast.ClassDef]:
    """The class and what it derives from within the package, the nearest first."""
    module = _parsed(path)
    imported = {
        alias.name: ROOT.parent / f"{node.module.replace('.', '/')}.py"
        for node in module.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mtl_bench.")
        for alias in node.names
    }
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield node
            for base in node.bases:
                if isinstance(base, ast.Name):
                    yield from _lineage(imported.get(base.id, path), base.id)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _cost(node: ast.ClassDef) -> tuple[list[str], list[str], list[str]]:
    """What a card says of passes, memory and host copies; a clause that names none belongs to the one before it."""
    paragraphs = (ast.get_docstring(node) or "").split("\n\n")
    said = next((found[1] for text in paragraphs if (found := COST.search(text))), "")
    first, *further = re.split(r"(?<=\.)\s+", " ".join(said.split()))
    passes, memory, copies = parts = list[str](), list[str](), list[str]()
    kind = passes
    for sentence in [first, *(one for one in further if HOST_COPY.search(one))]:
        for clause in re.split(r"[,;] (?![^(]*\))", sentence.removesuffix(".")):
            kind = copies if HOST_COPY.search(clause) else memory if MEMORY.search(clause) else kind
            kind.append(clause)
    return parts if said else ([], [], [])


def _needs(lineage: Sequence[ast.ClassDef]) -> Iterator[str]:
    if (level := _default(lineage, "at")) in LEVELS:
        yield LEVELS[level]
    if any(_forwards(node) > 1 for node in lineage):
        yield "several forwards"
    copies = next((copies for _, _, copies in map(_cost, lineage) if copies), [])
    if copies and not copies[0].startswith("No "):
        yield "host copy"
    if any(_value(node, "state") is not None for node in lineage if node.name not in EVERYONES):
        yield "state"


def _forwards(node: ast.AST, times: int = 1) -> int:
    """At least so many in its update: a call in a loop counts twice, parts of a batch have one each."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        if (node.func.value.id, node.func.attr) == ("step", "split"):
            return 2
        if (node.func.value.id, node.func.attr) == ("step", "losses"):
            return times
    inside = 2 if isinstance(node, ast.For | ast.While) else times
    return sum(_forwards(child, inside) for child in ast.iter_child_nodes(node))


def _default(lineage: Sequence[ast.ClassDef], field: str) -> str:
    values = (_value(node, field) for node in lineage)
    return next((str(value.value) for value in values if isinstance(value, ast.Constant)), "")


def _value(node: ast.ClassDef, field: str) -> ast.expr | None:
    """What a class sets one of its fields to."""
    set_here = (one for one in node.body if isinstance(one, ast.AnnAssign) and ast.unparse(one.target) == field)
    return next((one.value for one in set_here), None)
