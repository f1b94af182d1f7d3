"""Selective task-group updates."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.clustering import affinity_groups
from mtl_bench.methods.interface import Context, Step, TaskLosses
from mtl_bench.methods.proximal_affinity import Attribution, ProximalAffinity
from mtl_bench.methods.weighted import WeightedMethod

__all__ = ["STGU", "ProximalAffinity"]


@dataclass(kw_only=True, eq=False)
class STGU(WeightedMethod):
    """Groups of tasks that help each other step in turn on each batch (Jeong and Yoon, ICLR 2025, alg. 1).

    Each visit of a group is a forward of all tasks, the backward of the group's weighted losses and an optimizer step,
    groups in random order. The losses at successive visits tell how a step changed every task; `ProximalAffinity` keeps
    a moving average of that, and affinity propagation makes the next groups of it (`affinity_groups`), anew at every
    `every`-th batch after `warmup` + 1 batches of single tasks (released: 101).

    `attribution`: `released` credits a change to the group visited after it, as the authors' code does; `previous`
    (`stgu_causal`) to the group whose step caused it; `full` also measures the last step, with one more forward.
    `preference` is affinity propagation's (None: the median). `group_norm` divides a group's loss by its size.
    `revisit`: a group of all tasks is visited twice, as released, so that there is something to compare. `stale_heads`:
    heads outside the group have a gradient of zero instead of none and go on by their momentum, as under the torch of
    the release.

    The affinity is of raw losses, averaged over processes, whose batches then label the same tasks; `weighting` is
    asked and moved at the first visit. Groups keep their former shape where a self-affinity is not positive. A visit
    whose losses are not finite enters no affinity; one that is skipped for its gradient alone counts as a step that
    changed nothing.

    Cost: M forwards, M backwards of the visited tasks (of all tasks with `stale_heads`), M optimizer steps (1 ≤ M ≤ k;
    2 for one group); one host copy of K losses per visit; milliseconds of clustering.

    Raises BenchError for options outside their range.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("tracker", "partition", "batches", "visits", "together")

    attribution: Attribution = "released"
    decay: float = 1e-3
    warmup: int = 100
    every: int = 1
    preference: float | None = None
    group_norm: bool = False
    revisit: bool = True
    stale_heads: bool = False
    tracker: ProximalAffinity = field(init=False, repr=False)
    partition: list[list[int]] = field(default_factory=list, init=False)
    batches: int = field(default=0, init=False)  # so far
    visits: list[int] = field(default_factory=lambda: [0, 0], init=False)  # batches and groups, this epoch
    together: list[list[int]] = field(default_factory=list, init=False)  # batches of this epoch in one group
    epoch: dict[str, Any] = field(default_factory=dict, init=False, repr=False)  # of the last whole one

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.warmup < 0 or self.every < 1:
            raise BenchError(f"method.warmup is 0 or more and method.every 1 or more; got {self.warmup}, {self.every}.")
        K = len(context.tasks)
        self.tracker = ProximalAffinity(K, self.decay, self.attribution)
        self.partition = [[task] for task in range(K)]
        self.together = [[0] * K for _ in range(K)]

    def update(self, step: Step) -> None:
        weights: Float[Tensor, "k"] | None = None
        for group in self._groups(step):
            losses = step.losses(grad=True if self.stale_heads else group)
            if weights is None:
                weights = self.weigh(losses, step)
                self.observe(losses)
            step.backward(losses, self._visited(weights, losses.tasks, group))
            self._track(group, losses)
            step.apply()
        if self.attribution == "full":
            after = self._on_host(step.losses(grad=False))
            self.tracker.end_batch(after if after[list(step.tasks)].isfinite().all() else None)
        else:
            self.tracker.end_batch()

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        super().end_epoch(means)
        batches = max(1, self.visits[0])
        self.epoch = {
            "mean_groups": self.visits[1] / batches,
            "together": [[count / batches for count in row] for row in self.together],
        }
        self.visits, self.together = [0, 0], [[0] * len(row) for row in self.together]

    def findings(self) -> dict[str, Any]:
        """`affinity` [source][target] and `groups` now; over the epoch `mean_groups`, `together` (share of batches)."""
        names = self.context.tasks
        groups = [[names[task] for task in group] for group in self.partition]
        return {"affinity": self.tracker.matrix.tolist(), "groups": groups, **self.epoch}

    def _groups(self, step: Step) -> list[list[int]]:
        """Groups of this batch in the order of their visits; tasks without a label in it are left out."""
        since = self.batches - self.warmup - 1
        self.batches += 1
        if since >= 0 and since % self.every == 0:
            self.partition = affinity_groups(self.tracker.matrix, self.preference) or self.partition
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

    def _visited(self, weights: Float[Tensor, "k"], tasks: tuple[int, ...], group: list[int]) -> Float[Tensor, "k"]:
        """Weights of a visit: zero outside the group where heads shall have a gradient, of zero."""
        if self.stale_heads:
            weights = weights * torch.tensor([task in group for task in tasks], device=weights.device)
        return weights / len(group) if self.group_norm else weights

    def _track(self, group: list[int], losses: TaskLosses) -> None:
        values = self._on_host(losses)
        if values[list(losses.tasks)].isfinite().all():
            self.tracker.visit(group, values)
        else:
            self.tracker.forget()  # the step is going to be skipped

    def _on_host(self, losses: TaskLosses) -> Float[Tensor, "K"]:
        values = losses.values
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            values = values.clone()
            torch.distributed.all_reduce(values)
            values /= torch.distributed.get_world_size()
        found = torch.full((len(self.context.tasks),), torch.nan, dtype=torch.float64)
        found[list(losses.tasks)] = values.cpu().double()
        return found
