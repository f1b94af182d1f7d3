"""Learning-rate factors as functions of progress, so that any budget stretches them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol


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
class Milestones:
    """Multiplied by `gamma` when progress in [0, 1] passes each of the `milestones` (halving at 0.5: NYUv2 in MTAN)."""

    revision: ClassVar[int] = 1

    milestones: Sequence[float] = (0.5,)
    gamma: float = 0.5

    def factor(self, progress: float) -> float:
        return float(self.gamma ** sum(progress >= milestone for milestone in self.milestones))
