"""`not_derivable.csv`: the printed Δm and mean ranks that do not follow from their cells, and why as far as known."""

import csv
from collections.abc import Iterable
from pathlib import Path

from mtl_bench.errors import BenchError
from mtl_bench.results.published.recompute import Recomputed

EXCEPTIONS = "not_derivable.csv"
HEAD = ("table", "method", "metric", "printed", "low", "high", "reason")
Facts = tuple[str, ...]  # the line of one exception but for its reason


def facts_of(found: Recomputed) -> Facts:
    """As the file holds them: the range in the paper's sign, to one digit more than is printed."""
    return found.table, found.method, found.metric, found.printed.text, found.low, found.high


def known_exceptions(folder: Path) -> dict[Facts, str]:
    """The committed list: facts → reason, empty where none is known."""
    path = folder / EXCEPTIONS
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            lines = list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} cannot be read ({error}); take it from the repository.") from error
    if tuple(reader.fieldnames or ()) != HEAD:
        raise BenchError(f"{path} has the columns {reader.fieldnames}; it needs {', '.join(HEAD)}.")
    return {tuple(line[column] for column in HEAD[:-1]): line["reason"] for line in lines}


def exceptions(recomputed: Iterable[Recomputed]) -> list[Facts]:
    return [facts_of(one) for one in recomputed if not one.derivable]
