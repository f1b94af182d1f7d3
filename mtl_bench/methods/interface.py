"""What a method may touch: the step of one batch, its losses and its per-task gradients.

Shapes: k = tasks with a label in the batch, K = all tasks, P = shared parameters.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError

Level = Literal["shared", "feature", "last_layer"]


@dataclass
class TaskLosses:
    """Losses of one forward. `backward` and `gradients` spend the graph; the values stay.

    `values` are detached and raw (before any weighting).
    """

    tasks: tuple[int, ...]
    values: Float[Tensor, "k"]
    graph: object | None = None  # the step's own


class TaskGradients(Protocol):
    """One row per task of the losses; each live object owns its buffer."""

    tasks: tuple[int, ...]

    @property
    def losses(self) -> Float[Tensor, "k"]:
        """Weighted loss values on the host (float64), copied together with the Gramian."""

    @property
    def features(self) -> Mapping[str, Tensor] | None:
        """The shared tensors at `feature`, named as in `layers()`; None elsewhere."""

    def gramian(self, other: "TaskGradients | None" = None) -> Float[Tensor, "k k"]:
        """Inner products of the rows (with those of `other`): float64, on the host, one copy."""

    def combine(self, weights: Float[Tensor, "k"], heads: Float[Tensor, "k"] | None = None) -> None:
        """Write Σ w_i g_i to `.grad` of the shared parameters and `heads[i]` (None: 1) times its own to each head."""

    def assign(
        self,
        direction: Tensor | Mapping[str, Tensor],
        heads: Float[Tensor, "k"] | None = None,
        weights: Float[Tensor, "k"] | None = None,
    ) -> None:
        """Write a direction: a vector as long as a row, or a mapping that names every layer.

        `weights`: what the tasks count in it, for the record; None: it is none of weighted rows.
        """

    def finite(self) -> Bool[Tensor, ""]:
        """Whether losses, rows and the heads' own gradients all are, on the device: otherwise the step is skipped."""

    def matrix(self) -> Float[Tensor, "k P"]:
        """The rows themselves, not a copy: their memory is reused once this object is gone."""

    def layers(self) -> Iterator[tuple[str, Float[Tensor, "k *shape"]]]:
        """Views of the rows by parameter name."""


class HeldOutSamples(Protocol):
    """A batch of samples that nothing is trained on: what the parameters as they are now are worth.

    In evaluation mode: norms use their running statistics and leave them as they are, dropout drops nothing, images are
    augmented no more than in an evaluation. `tasks` have a label in it (there may be none). Forwards and backwards
    count as any others; neither the losses nor a step that is not finite here are training's.
    """

    tasks: tuple[int, ...]

    def losses(self) -> TaskLosses:
        """One forward of all `tasks`, with the parameters as they are now."""

    def gradient(self, losses: TaskLosses, weights: Float[Tensor, "k"]) -> TaskGradients:
        """The gradient of Σ w_i l_i at "shared" as the only row, by one backward; to be compared, not written."""


class Step(Protocol):
    """The means of one batch, and nothing else.

    `tasks` have a label in this batch (dataset order, known before any forward). `generator` lives on the host
    (permutations, draws of size K), `device_generator` on the device (draws of feature or parameter size).
    """

    tasks: tuple[int, ...]
    epoch: int
    generator: torch.Generator
    device_generator: torch.Generator

    @property
    def progress(self) -> float:
        """Share of the budget used, 0 to 1."""

    @property
    def lr(self) -> float: ...

    def losses(
        self,
        tasks: Sequence[int] | None = None,
        *,
        grad: bool | Sequence[int] = True,
        at: Level | None = None,
        condition: object = None,
    ) -> TaskLosses:
        """One forward. `grad`: True, False (replays the dropout of the last forward), or the tasks that get a graph.

        `at`: where `gradients` will be asked for, which some engines must know before; `condition` goes to the model.
        """

    def backward(self, losses: TaskLosses, weights: Float[Tensor, "k"]) -> None:
        """Add the gradient of Σ w_i l_i to `.grad`; weights are aligned with `losses.tasks`."""

    def gradients(
        self, losses: TaskLosses, at: Level = "shared", weights: Float[Tensor, "k"] | None = None, rows: bool = True
    ) -> TaskGradients:
        """Gradients of weights[i] · l_i, one row per task.

        `rows=False`: only `gramian` and `combine` are going to be asked, for which large rows need not be made; all
        else still works, and costs more.
        """

    def apply(
        self,
        only: Literal["all", "shared"] = "all",
        rule: Literal["optimizer", "sgd"] = "optimizer",
        stale: Sequence[int] = (),
    ) -> None:
        """Clip, step, and set gradients to None; `sgd` is θ −= lr · g with neither clip nor decay.

        `stale`: tasks whose own parameters take the step with a gradient of zero where they have none.
        """

    def trial(self) -> AbstractContextManager[None]:
        """Parameters, buffers, optimizer state and random streams are bit-identical after it."""

    def split(self, parts: int) -> "list[Step]":
        """Disjoint parts of the batch, stratified by label."""

    def held_out(self) -> HeldOutSamples:
        """The batch of the validation split that belongs to this batch: asked again, it is the same one."""


@dataclass(frozen=True)
class GramianProblem:
    """What weights are found from: inner products of the task gradients, float64 on the host.

    `losses` are the weighted values that the gradients belong to, `tasks` their positions in the dataset, `generator`
    the host's.
    """

    gramian: Float[Tensor, "k k"]
    losses: Float[Tensor, "k"] | None = None
    tasks: tuple[int, ...] | None = None
    generator: torch.Generator | None = None


@dataclass(frozen=True)
class Context:
    """What a method learns about its run in `setup`, before the first batch."""

    tasks: tuple[str, ...]
    likelihoods: tuple[Literal["classification", "regression"], ...]
    static_weights: Mapping[str, float]  # of the protocol; empty: all 1
    epochs: int
    steps_per_epoch: int
    device: torch.device
    per_task_path: bool
    last_shared: nn.Parameter | None
    shared: Mapping[str, torch.Size]  # shapes of the shared parameters, by name
    # name of a shared weight → the weight, and the live norms per task that follow it, in task order
    task_norms: Mapping[str, tuple[nn.Parameter, tuple[nn.Module, ...]]] = field(default_factory=dict)
    frozen: bool = False  # no shared parameter requires a gradient
    held_out: bool = False  # whether a step has held-out samples to look at
    normalised_decay: bool = False  # the optimizer's weight decay is part of what it normalises, as Adam's is
    repeatable: bool = True  # whether a second forward on a batch is exact

    def require_repeats(self) -> None:
        """Raises BenchError, before anything moves, where a method cannot have several forwards on a batch."""
        if not self.repeatable:
            raise BenchError(
                "This method runs several forwards on a batch; give Stepper model=, so that they are exact."
            )
