"""Layers from the conflicts that joint runs counted in them."""

from collections.abc import Mapping, Sequence

from mtl_bench.errors import BenchError
from mtl_bench.records import Record


def conflict_scores(records: Sequence[Record], layers: Sequence[str]) -> tuple[dict[str, int], int]:
    """Conflicts of each layer summed over runs, and how many there could have been; what is no layer is left out.

    Raises BenchError for a run whose method counted none.
    """
    scores, pairs = dict.fromkeys(layers, 0), 0
    for record in records:
        found = (record.get("findings") or [{}])[-1]
        counted = dict(zip(found.get("layers", []), found.get("conflicts", []), strict=True))
        if not set(layers) <= set(counted):
            raise BenchError(
                f"The run of {record['method']['label']} with seed {record['seed']} has no conflicts of every layer; "
                "let it train for a whole epoch (a larger share), by a method that counts them."
            )
        scores = {name: score + counted[name] for name, score in scores.items()}
        pairs += found["pairs"]
    return scores, pairs


def most_conflicting(scores: Mapping[str, int], top: int) -> list[str]:
    """The `top` layers of the highest scores, of equal ones the first; in the order of `scores`."""
    ranked = sorted(scores, key=lambda name: -scores[name])
    return [name for name in scores if name in set(ranked[:top])]
