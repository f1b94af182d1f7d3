"""`names.yaml`: which of our methods stands behind the name that a paper prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtl_bench.errors import BenchError
from mtl_bench.results.published.yaml_map import yaml_map

NAMES = "names.yaml"


@dataclass(frozen=True)
class PrintedNames:
    """`everywhere` and, before it, `within` one table: printed name → method; None: none of ours in that table."""

    single_task: frozenset[str]
    everywhere: Mapping[str, str]
    within: Mapping[str, Mapping[str, str | None]]

    def method(self, table: str, printed: str) -> str | None:
        """The name of our method; None where we have none, or the row is the single-task one."""
        here = self.within.get(table, {})
        return here[printed] if printed in here else self.everywhere.get(printed)


def printed_names(folder: Path) -> PrintedNames:
    """Raises BenchError when the file cannot be read or gives one printed name to two methods."""
    path = folder / NAMES
    found = yaml_map(path, {"single_task": list, "methods": dict, "tables": dict}, "take it from the repository")
    everywhere: dict[str, str] = {}
    for method, spellings in found["methods"].items():
        if not isinstance(spellings, list):
            raise BenchError(
                f"{path} gives no list of names to {method}, but {spellings!r}; take it from the repository."
            )
        for printed in spellings:
            if printed in everywhere:
                raise BenchError(f"{path} gives {printed!r} to {everywhere[printed]} and to {method}; keep one.")
            everywhere[printed] = method
    return PrintedNames(frozenset(found["single_task"]), everywhere, found["tables"])
