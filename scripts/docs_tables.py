"""Tables for the documentation: the keys of a YAML and the fields of TypedDicts, with the comments beside them."""

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

HYDRAS = tuple(f"hydra.{name}" for name in ("help", "output_subdir", "run", "sweep", "job"))  # of every job
OWN_PLACE = ("_self_", "override hydra")  # of a defaults list: where the file itself comes in, what Hydra is told


def table(head: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *lines]) if lines else empty


def cell(text: str) -> str:
    """On one line, and no bar outside code that would end it."""
    return _outside_code(text.replace("\n", " "), lambda part: part.replace("|", "\\|").replace("<", "&lt;"))


def plain(text: str) -> str:
    """A docstring as Markdown: what reads `[source][target]` is no link, and `<experiment>` no tag."""
    return _outside_code(text, lambda part: re.sub(r"\](?=[\[(])", r"\]", part).replace("<", "&lt;"))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    return "`".join(part if number % 2 else change(part) for number, part in enumerate(text.split("`")))


def keys_table(path: Path, classes_below: bool = False) -> str:
    """Every key of a YAML with its value and the comment beside it; without one, a link to what explains it."""
    rows = []
    for place, value, comment, target in keys(path.read_text()):
        said = "<br>".join(map(cell, comment.splitlines()))
        rows.append((f"`{place}`", cell(value), said or (_elsewhere(path, place, target) if classes_below else "")))
    return table(("key", "value", "meaning"), rows, "It combines others and sets nothing itself.")


def _elsewhere(path: Path, place: str, target: str) -> str:
    """Where a key without a comment is explained: by the class that takes it, or on the page where it is at home."""
    target = target or _classes(path.parent).get(place, "")
    name = target.rpartition(".")[2]
    if place.endswith("_partial_"):
        return "Hydra's: built once the parameters are known"
    if target.startswith("mtl_bench."):
        return f"see [{name}](#{name.lower()})"
    if target.startswith("torch."):
        return f"see [{target}](https://docs.pytorch.org/docs/stable/generated/{target}.html)"
    home = place.removeprefix("hydra.sweeper.params.").partition(".")[0]
    page = home if (path.parents[1] / home).is_dir() else "train"
    return f"{'swept; ' if place.startswith('hydra.') else ''}see [{page}]({page}.md)"


@cache
def _classes(folder: Path) -> dict[str, str]:
    """Place of a key → the class that takes it, wherever a YAML of a group says so."""
    found = (key for path in folder.glob("*.yaml") for key in keys(path.read_text()))
    return {place: target for place, _, _, target in found if target}


Key = tuple[str, str, str, str]


def keys(text: str) -> Iterator[Key]:
    """(dotted place, value as code, comment, class configured) of every key, without Hydra's own settings of a job."""
    node = yaml.compose(text)
    if isinstance(node, yaml.MappingNode):
        yield from _walk(node, "", text.splitlines(), "")


def _walk(node: yaml.MappingNode, place: str, lines: list[str], target: str) -> Iterator[Key]:
    target = next((value.value for key, value in node.value if key.value == "_target_"), target)
    for key, value in node.value:
        inner = f"{place}.{key.value}".lstrip(".")
        if inner in HYDRAS:
            continue
        if inner == "defaults":
            parts = [lines[item.start_mark.line].strip().removeprefix("- ") for item in value.value]
            yield (
                inner,
                ", ".join(f"`{part}`" for part in parts if not part.startswith(OWN_PLACE)),
                "put together from",
                "",
            )
            continue
        comment = _comment(lines[key.start_mark.line :])
        block = isinstance(value, yaml.CollectionNode) and not value.flow_style
        if comment or not block:
            yield inner, "" if block else f"`{_written(value, lines)}`", comment, target
        if block and isinstance(value, yaml.MappingNode):
            yield from _walk(value, inner, lines, target)
        elif block:
            for number, item in enumerate(value.value):
                if isinstance(item, yaml.MappingNode):
                    yield from _walk(item, f"{inner}.{number}", lines, target)


def _comment(lines: Sequence[str]) -> str:
    """What stands beside the first line, and goes on in lines of its own."""
    beside = re.search(r"\s#\s*(.*)$", lines[0])
    further = (re.fullmatch(r"\s+#\s*(.*)", line) for line in lines[1:])
    return "\n".join(found[1] for found in (beside, *takewhile(bool, further)) if found) if beside else ""


def _written(node: yaml.Node, lines: list[str]) -> str:
    """A value as it is written, on one line."""
    start, end = node.start_mark, node.end_mark
    if start.line == end.line:
        return lines[start.line][start.column : end.column]
    between = lines[start.line + 1 : end.line]
    return " ".join([lines[start.line][start.column :], *between, lines[end.line][: end.column]])


def arguments(kind: Any) -> str:
    """What the constructor takes, as a table."""
    rows = [
        (f"`{one.name}`", cell(f"`{inspect.formatannotation(one.annotation)}`"), _default(one.default))
        for one in inspect.signature(kind).parameters.values()
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    return table(("argument", "type", "default"), rows, "It takes no arguments.")


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    return cell(f"`{value.__name__ + '()' if inspect.isclass(value) else repr(value)}`")


def schema(path: Path) -> str:
    """The TypedDicts of a module, the last first (parts stand before the whole): keys, types, comments beside them."""
    lines, parts = path.read_text().splitlines(), []
    for node in reversed(ast.parse("\n".join(lines)).body):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
            said = [lines[field.lineno - 1].partition("  # ")[2] for field in fields]
            typed = [(f"`{ast.unparse(one.target)}`", cell(f"`{ast.unparse(one.annotation)}`")) for one in fields]
            rows = [(*pair, cell(comment)) for pair, comment in zip(typed, said, strict=True)]
            base = ", ".join(ast.unparse(one) for one in node.bases if ast.unparse(one) != "TypedDict")
            parts += [f"## {node.name}", plain(ast.get_docstring(node) or ""), f"All of `{base}`, and:" if base else ""]
            parts.append(table(("key", "type", "meaning"), rows, ""))
    return "\n\n".join(part for part in parts if part)
