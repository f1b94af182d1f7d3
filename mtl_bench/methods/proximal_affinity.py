"""How the steps of task groups change every task's loss, tracked while training goes on."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtl_bench.errors import BenchError

Attribution = Literal["released", "previous", "full"]
ATTRIBUTIONS = get_args(Attribution)
Losses = Float[Tensor | np.ndarray, "K"] | Sequence[float]


class ProximalAffinity:
    """Moving average of relative loss changes, `matrix` [source, target] (STGU: Jeong and Yoon, ICLR 2025).

    A change c_t = (1 − l_t / l_t of the visit before) / |G| is credited to each source s of a group G: to a task t
    outside G as it is; to s itself if it is not negative; to another member t as it is if s and t moved the same way,
    else as −max(c_s, c_t), since within a group nobody can tell who helped whom:
    A[s, t] ← (1 − decay) A[s, t] + decay · c. It begins at 0; `seen` says which pairs have had a change.

    `attribution` says which group caused a change: `previous`, the group whose step lies between the two forwards (the
    definition of proximal affinity); `full`, the same, and `end_batch` takes the losses after the last step;
    `released`, the group of the later visit, which the authors' code credits although its step comes after the change.

    Losses are raw; a task whose loss was not positive before, or is not finite, changes nothing. No network is needed:
    `tasks` is their number. Raises BenchError for a decay outside (0, 1] and for an unknown attribution.
    """

    def __init__(self, tasks: int, decay: float = 1e-3, attribution: Attribution = "released") -> None:
        if not 0 < decay <= 1:
            raise BenchError(f"The decay of the moving average lies in (0, 1], got {decay}.")
        if attribution not in ATTRIBUTIONS:
            raise BenchError(f"attribution is one of {', '.join(ATTRIBUTIONS)}; got {attribution!r}.")
        self.decay, self.attribution = decay, attribution
        self.matrix: Float[np.ndarray, "K K"] = np.zeros((tasks, tasks))
        self.seen: Bool[np.ndarray, "K K"] = np.zeros((tasks, tasks), dtype=bool)
        self._stepped: tuple[int, ...] = ()
        self._before: Float[np.ndarray, "K"] = np.full(tasks, np.nan)

    def visit(self, group: Sequence[int], losses: Losses) -> None:
        """`losses` of all tasks (NaN: none) in the forward of this visit, before the step on `group`."""
        self._credit(group if self.attribution == "released" else self._stepped, losses)
        self._before, self._stepped = np.asarray(losses, dtype=np.float64), tuple(group)

    def end_batch(self, losses: Losses | None = None) -> None:
        """The next losses are of another batch; `losses` of this one after its last step, under `full`."""
        if losses is not None:
            self._credit(self._stepped, losses)
        self.forget()

    def forget(self) -> None:
        """The next visit has nothing to compare with."""
        self._before = np.full(len(self.matrix), np.nan)
        self._stepped = ()

    def state_dict(self) -> dict[str, Any]:
        return {"matrix": torch.from_numpy(self.matrix.copy()), "seen": torch.from_numpy(self.seen.copy())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["matrix"].shape != self.matrix.shape:
            raise ValueError(f"affinities of {len(state['matrix'])} tasks are no {len(self.matrix)} tasks'")
        self.matrix = state["matrix"].numpy().copy()
        self.seen = state["seen"].numpy().copy() if "seen" in state else self.matrix != 0  # as older states tell it

    def _credit(self, group: Sequence[int], losses: Losses) -> None:
        after = np.asarray(losses, dtype=np.float64)
        known = (self._before > 0) & np.isfinite(self._before) & np.isfinite(after)
        change = np.full(len(known), np.nan)
        change[known] = (1 - after[known] / self._before[known]) / max(1, len(group))
        for source in group:
            for target in np.flatnonzero(known).tolist():
                seen = _credited(source, target, change, target in group)
                if seen is not None:
                    former = self.matrix[source, target]
                    self.seen[source, target] = True
                    self.matrix[source, target] = (1 - self.decay) * former + self.decay * seen


def _credited(source: int, target: int, change: Float[np.ndarray, "K"], member: bool) -> float | None:
    own, other = float(change[source]), float(change[target])
    if not member:
        return other
    if source == target:
        return own if own >= 0 else None
    if not np.isfinite(own):
        return None
    return other if own * other >= 0 else -max(own, other)
