"""Learning-rate factors as functions of progress, so that any budget stretches them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from mtl_bench.errors import BenchError


class Schedule(Protocol):
    """Factor on every learning rate at `progress` in [0, 1]."""

    def factor(self, progress: float) -> float: ...


@dataclass(frozen=True)
class Constant:
    """No change."""

    revision: ClassVar[int] = 1

    def factor(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """½ (1 + cos π·progress) (Loshchilov & Hutter, ICLR 2017)."""

    revision: ClassVar[int] = 1

    def factor(self, progress: float) -> float:
        return 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(frozen=True)
class Polynomial:
    """(1 - progress)^power, with power 0.9 the usual one of dense prediction since DeepLab (Chen et al., TPAMI 2018).

    Raises BenchError for a power that is not above 0.
    """

    revision: ClassVar[int] = 1

    power: float = 0.9

    def __post_init__(self) -> None:
        if not self.power > 0:
            raise BenchError(f"The power of a polynomial schedule is above 0, got {self.power}.")

    def factor(self, progress: float) -> float:
        return float((1 - progress) ** self.power)


@dataclass(frozen=True)
class Milestones:
    """Multiplied by `gamma` when progress in [0, 1] passes each of the `milestones` (halving at 0.5: NYUv2 in MTAN).

    Raises BenchError for milestones that are no shares of the training, and for a gamma that is not above 0.
    """

    revision: ClassVar[int] = 1

    milestones: Sequence[float] = (0.5,)
    gamma: float = 0.5

    def __post_init__(self) -> None:
        if not all(0 < milestone < 1 for milestone in self.milestones):
            raise BenchError(
                f"Milestones are shares of the training between 0 and 1, no epochs; got {list(self.milestones)}."
            )
        if not self.gamma > 0:
            raise BenchError(f"The gamma of milestones is above 0, got {self.gamma}.")

    def factor(self, progress: float) -> float:
        return float(self.gamma ** sum(progress >= milestone for milestone in self.milestones))


@dataclass(frozen=True)
class Beginning:
    """The first `share` of another schedule, for a run that stops there."""

    revision: ClassVar[int] = 1

    schedule: Schedule
    share: float

    def factor(self, progress: float) -> float:
        return self.schedule.factor(self.share * progress)
