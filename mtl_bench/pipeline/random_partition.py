"""A random partition into groups: what any choice must beat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mtl_bench.errors import BenchError
from mtl_bench.grouping import dealt, random_partition
from mtl_bench.pipeline.base import Choice, Grouping, Need, RecordsByNeed


@dataclass(frozen=True)
class RandomPartition(Grouping):
    """A partition into `budget` groups, uniform over assignments without an empty one; `draw` seeds it."""

    known_as: ClassVar[str] = "mtl_bench.pipeline.RandomGroups"  # in the names of entries
    draw: int = 0

    def __post_init__(self) -> None:
        if self.draw < 0:
            raise BenchError(f"grouping.draw is a whole number, 0 or more; got {self.draw}.")

    @property
    def note(self) -> str:  # type: ignore[override]  # a plain value in the parent
        return f"draw={self.draw}"

    def needs(self, tasks: Sequence[str]) -> list[Need]:
        return []

    def choose(self, tasks: Sequence[str], budget: int, records: RecordsByNeed) -> Choice:
        return Choice(dealt(random_partition(len(tasks), budget, np.random.default_rng(self.draw))))
