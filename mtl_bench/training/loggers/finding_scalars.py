"""What methods tell about themselves, as scalars that a logger can plot."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def scalars(place: str, found: Any, tasks: Sequence[str]) -> Iterator[tuple[str, float]]:
    """(name, value) of every number: a list as long as `tasks` is named by them, a mapping by its keys; the rest is
    for the record alone (groups, labels).
    """
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        yield place, float(found)
    elif isinstance(found, Mapping):
        for key, value in found.items():
            yield from scalars(f"{place}/{key}", value, tasks)
    elif isinstance(found, list) and len(found) == len(tasks) and all(_plots(value, len(tasks)) for value in found):
        for task, value in zip(tasks, found, strict=True):
            yield from scalars(f"{place}/{task}", value, tasks)


def _plots(value: Any, tasks: int) -> bool:
    """A number, an unknown one, or a row of them over all tasks; lists of names or positions are none."""
    if isinstance(value, list):
        return len(value) == tasks and all(isinstance(part, float) or part is None for part in value)
    return isinstance(value, float) or value is None
