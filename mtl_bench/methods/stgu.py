"""Selective task-group updates."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.clustering import Normalise, affinity_groups, depends_on_state
from mtl_bench.methods.composable import ComposableMethod
from mtl_bench.methods.interface import Context, Step, TaskLosses
from mtl_bench.methods.proximal_affinity import Attribution, ProximalAffinity

__all__ = ["STGU", "ProximalAffinity", "STGUCausal", "affinity_groups"]

EXAMINE = 20  # clusterings between those that are tried under ten random states, which costs ten more


@dataclass(kw_only=True, eq=False)
class STGU(ComposableMethod):
    """Groups of tasks that help each other step in turn on each batch (Jeong and Yoon, ICLR 2025, alg. 1).

    Each visit of a group is a forward of all tasks, the backward of the group's weighted losses and an optimizer step,
    groups in random order. The losses at successive visits tell how a step changed every task; `ProximalAffinity` keeps
    a moving average of that (of which a visit makes `decay`), and affinity propagation makes the next groups of it
    (`affinity_groups`), anew at every `every`-th batch after `warmup` + 1 batches of single tasks (released: 101).

    The defaults are what the authors' code does under the torch 1.13 that it pins. `attribution`: `released` credits a
    change to the group visited after it; `previous` to the group whose step caused it; `full` also measures the last
    step, with one more forward. `normalise`: `released` or `columns`, see `affinity_groups`. `stale_heads`: heads
    outside the group take each step with a gradient of zero, once they have had one, and so go on by their momentum
    (that torch's `zero_grad` leaves zeros). `revisit`: a group of all tasks is visited twice, so that there is
    something to compare. `preference` is affinity propagation's (None: the median). `group_norm` divides a group's loss
    by its size (released: off).

    The affinity is of raw losses; `weighting` is asked and moved at the first visit. Groups keep their former shape
    where a self-affinity is not positive. A visit whose losses are not finite enters no affinity; one that is skipped
    for its gradient alone counts as a step that changed nothing. Each clustering draws the random state of its
    tie-breaking noise from the step's host generator; every 20th is tried under ten states, and the findings count
    those whose partition depends on it.

    Cost: M forwards, M backwards of the visited tasks, M optimizer steps (1 ≤ M ≤ k; 2 for one group); one host copy of
    K losses per visit; milliseconds of clustering.

    Raises BenchError for options outside their range.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    revision: ClassVar[int] = 2
    state: ClassVar[tuple[str, ...]] = (
        *("tracker", "partition", "started", "batches", "clusterings", "examined", "visits", "together"),
    )

    attribution: Attribution = "released"
    normalise: Normalise = "released"
    decay: float = 1e-3
    warmup: int = 100
    every: int = 1
    preference: float | None = None
    group_norm: bool = False
    revisit: bool = True
    stale_heads: bool = True
    tracker: ProximalAffinity = field(init=False, repr=False)
    partition: list[list[int]] = field(default_factory=list, init=False)
    started: list[int] = field(default_factory=list, init=False)  # tasks whose heads have had a gradient
    batches: int = field(default=0, init=False)  # so far
    clusterings: int = field(default=0, init=False)  # so far
    examined: list[int] = field(default_factory=lambda: [0, 0], init=False)  # this epoch; of them undecided
    visits: list[int] = field(default_factory=lambda: [0, 0], init=False)  # batches and groups, this epoch
    together: list[list[int]] = field(default_factory=list, init=False)  # batches of this epoch in one group
    epoch: dict[str, Any] = field(default_factory=dict, init=False, repr=False)  # of the last whole one

    def check_options(self) -> None:
        super().check_options()
        if self.warmup < 0 or self.every < 1:
            raise BenchError(f"method.warmup is 0 or more and method.every 1 or more; got {self.warmup}, {self.every}.")
        if not 0 < self.decay <= 1:
            raise BenchError(f"method.decay lies in (0, 1], got {self.decay}.")

    def setup(self, context: Context) -> None:
        super().setup(context)
        context.require_repeats()
        K = len(context.tasks)
        self.tracker = ProximalAffinity(K, self.decay, self.attribution)
        self.partition = [[task] for task in range(K)]
        self.together = [[0] * K for _ in range(K)]

    def update(self, step: Step) -> None:
        weights: Float[Tensor, "k"] | None = None
        for group in self._groups(step):
            losses = step.losses(grad=group)
            if weights is None:
                weights = self.weigh(losses, step)
                self.observe(losses)
            step.backward(losses, weights / len(group) if self.group_norm else weights)
            self._track(group, losses)
            step.apply(stale=self._stale(step, group))
        if self.attribution == "full":
            after = self._on_host(step.losses(grad=False))
            self.tracker.end_batch(after if np.isfinite(after[list(step.tasks)]).all() else None)
        else:
            self.tracker.end_batch()

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        super().end_epoch(means)
        batches = max(1, self.visits[0])
        self.epoch = {
            "examined": self.examined[0],
            "undecided": self.examined[1],
            "mean_groups": self.visits[1] / batches,
            "together": [[count / batches for count in row] for row in self.together],
        }
        self.examined, self.visits, self.together = [0, 0], [0, 0], [[0] * len(row) for row in self.together]

    def findings(self) -> dict[str, Any]:
        """`affinity` [source][target] (None: no step has told) and `groups` now; over the epoch `mean_groups`,
        `together` (share of batches), and of the clusterings `examined` those `undecided`, whose partition depends on
        the random state.
        """
        names = self.context.tasks
        groups = [[names[task] for task in group] for group in self.partition]
        tracked = zip(self.tracker.matrix.tolist(), self.tracker.seen.tolist(), strict=True)
        affinity = [[value if seen else None for value, seen in zip(*pair, strict=True)] for pair in tracked]
        return {"affinity": affinity, "groups": groups, **self.epoch}

    def _groups(self, step: Step) -> list[list[int]]:
        """Groups of this batch in the order of their visits; tasks without a label in it are left out."""
        since = self.batches - self.warmup - 1
        self.batches += 1
        if since >= 0 and since % self.every == 0:
            self._cluster(step)
        present = [[task for task in group if task in step.tasks] for group in self.partition]
        groups = [group for group in present if group]
        self.visits = [self.visits[0] + 1, self.visits[1] + len(groups)]
        for group in groups:
            for one in group:
                for other in group:
                    self.together[one][other] += 1
        order = torch.randperm(len(groups), generator=step.generator).tolist()
        shuffled = [groups[i] for i in order]
        return shuffled * 2 if len(self.partition) == 1 and self.revisit else shuffled

    def _cluster(self, step: Step) -> None:
        random_state = int(torch.randint(2**31, (), generator=step.generator))
        matrix = self.tracker.matrix
        found = affinity_groups(matrix, self.normalise, random_state, self.preference)
        if found is not None and self.clusterings % EXAMINE == 0:
            self.examined[0] += 1
            self.examined[1] += depends_on_state(matrix, self.normalise, self.preference)
        self.partition = found or self.partition
        self.clusterings += 1

    def _stale(self, step: Step, group: list[int]) -> list[int]:
        """Tasks outside the group whose heads take this step with a gradient of zero."""
        if not self.stale_heads:
            return []
        self.started = sorted({*self.started, *group})
        return [task for task in step.tasks if task in self.started and task not in group]

    def _track(self, group: list[int], losses: TaskLosses) -> None:
        values = self._on_host(losses)
        if np.isfinite(values[list(losses.tasks)]).all():
            self.tracker.visit(group, values)
        else:
            self.tracker.forget()  # the step is going to be skipped

    def _on_host(self, losses: TaskLosses) -> Float[np.ndarray, "K"]:
        found = np.full(len(self.context.tasks), np.nan)
        found[list(losses.tasks)] = losses.values.cpu().double().numpy()
        return found


@dataclass(kw_only=True, eq=False)
class STGUCausal(STGU):
    """STGU as its definitions read: a change is credited to the step that caused it, and heads outside the group rest.

    Columns of the affinity are divided whole by the self-affinity of their target. All else, cost included, as `STGU`.
    """

    revision: ClassVar[int] = 1

    attribution: Attribution = "previous"
    normalise: Normalise = "columns"
    stale_heads: bool = False
