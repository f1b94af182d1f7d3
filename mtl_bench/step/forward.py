"""The first seam: losses of a batch, and the tensors at which the encoder ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass
class Forwarded:
    """What one forward gave, by task: scalar losses, and the shared tensors that each of them read.

    Heads read `taps` (`f.view_as(f)`), never the tensors the encoder goes on with (`features`): where the second shared
    tensor is computed from the first, the gradient at the first would otherwise already hold the path through the
    second. Tasks that shared one encoder pass hold one and the same list; the lists are empty where nobody has named
    the shared tensors. `joined`: tasks share a computation behind the taps too, which a backward keeps for the next.
    """

    terms: dict[int, Tensor]
    features: dict[int, list[Tensor]]
    taps: dict[int, list[Tensor]]
    joined: bool = False

    def passes(self, tasks: Sequence[int]) -> int:
        """Encoder passes that these tasks read."""
        return len({id(self.features[task]) for task in tasks})


class Forward(Protocol):
    """The forward of one batch: a closure over model, batch and losses, and the only place that knows about them.

    `with_graph`: tasks whose loss is going to be differentiated; `condition` is handed to a model that asks for one (a
    preference over tasks, say).
    """

    def __call__(self, tasks: Sequence[int], with_graph: frozenset[int], condition: object = None) -> Forwarded: ...


@dataclass(frozen=True)
class Part:
    """A batch or a part of one: its forward, the tasks with a label in it, and how to split it (None: it cannot be)."""

    forward: Forward
    tasks: tuple[int, ...]
    split: "Callable[[int], list[Part]] | None" = None
