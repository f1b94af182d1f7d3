"""What a method belongs to and costs, read off its source: importing it would load torch, and a list need not wait."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

FAMILIES = {
    "LossWeighting": "loss weighting",
    "GramianWeighting": "Gramian",
    "GradientAggregation": "direction",
    "GradientMethod": "direction",  # which may be either
    "ComposableMethod": "own step",
    "Method": "own step",
}
TARGET = re.compile(r"^_target_: mtl_bench\.(\S+)\.(\w+)", re.M)
COST = re.compile(r"Cost(?: [^:.]*)?: (.+?)(?:\.\s|\.$|$)", re.S)


class Facts(NamedTuple):
    """Empty where the source does not say."""

    family: str
    priorities: bool  # whether it takes them
    cost: str


def facts(path: Path) -> Facts:
    """Of the method that a YAML configures; one of somebody else's package has none."""
    target = TARGET.search(path.read_text())
    if target is None:
        return Facts("", False, "")
    source = Path(__file__).parents[1] / f"{target[1].replace('.', '/')}.py"
    classes = {node.name: node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ClassDef)}
    lineage = _lineage(target[2], classes)
    family = next((FAMILIES[name] for name in lineage if name in FAMILIES), "")
    texts = [ast.get_docstring(classes[name]) or "" for name in lineage if name in classes]
    costs = [match[1] for text in texts if (match := COST.search(text))]
    return Facts(family, "Prioritised" in lineage, " ".join(costs[0].split()) if costs else "")


def _lineage(name: str, classes: dict[str, ast.ClassDef]) -> list[str]:
    """The class and what it derives from, as far as its own file tells."""
    bases = [base.id for base in classes[name].bases if isinstance(base, ast.Name)] if name in classes else []
    return [name, *(above for base in bases for above in _lineage(base, classes))]
