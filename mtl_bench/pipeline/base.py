"""How groups of tasks are chosen: which runs that needs, and what is concluded from their records."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mtl_bench.grouping import ChosenGroups
from mtl_bench.records import Record


class Need(NamedTuple):
    """Runs on `tasks`, one per seed: by the method that measures, or by the one that trains groups."""

    tasks: tuple[str, ...]
    measuring: bool = False


class Choice(NamedTuple):
    """What was chosen and, where pairs decided, the matrix [source, target] that decided it, higher better."""

    chosen: ChosenGroups
    matrix: Float[np.ndarray, "K K"] | None = None


RecordsByNeed = Mapping[Need, Sequence[Record]]  # one record per seed


class Grouping(ABC):
    """A rule that chooses at most `budget` groups of tasks."""

    note: str = ""  # told in the entry's label

    @abstractmethod
    def needs(self, tasks: Sequence[str]) -> list[Need]:
        """What must be trained before groups can be chosen."""

    @abstractmethod
    def choose(self, tasks: Sequence[str], budget: int, records: RecordsByNeed) -> Choice:
        """Groups name tasks by their position in `tasks`. Raises BenchError when the records do not tell."""
