"""Cosines between task gradients, as diagnostics leave them in a run's history."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

COSINE = "diagnostics/cosine/"  # of a pair, whose names a hyphen joins


def probed_cosines(rows: Iterable[Mapping[str, Any]], tasks: Sequence[str]) -> dict[tuple[int, int], list[float]]:
    """(i, j), i < j → the cosine of every probed batch that had both tasks; pairs without one are left out."""
    names = {pair: COSINE + "-".join(tasks[task] for task in pair) for pair in combinations(range(len(tasks)), 2)}
    probed = [row["diagnostics"] for row in rows if "diagnostics" in row]
    found = {pair: [one[name] for one in probed if name in one] for pair, name in names.items()}
    return {pair: cosines for pair, cosines in found.items() if cosines}
