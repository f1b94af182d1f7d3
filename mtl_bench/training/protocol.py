"""A protocol is an object: everything that makes two numbers comparable."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch

from mtl_bench.data.augmentation import Augmentation
from mtl_bench.errors import BenchError, check_choices
from mtl_bench.records.reading import BATCH, EVERY
from mtl_bench.training.budget import Budget
from mtl_bench.training.schedules import Constant, Schedule
from mtl_bench.training.selection import Last, SelectionRule


@dataclass(frozen=True, kw_only=True)
class Training:
    """The part of a protocol that changes the weights a run ends with; it enters the run's identity.

    `batch_size` counts samples; `drop_last` leaves out what does not fill the last batch of an epoch. `budget` says how
    long to train. `optimizer` is a partial of a torch optimizer; heads learn at `head_lr_factor` times its rate, which
    `schedule` scales over the training. `clip_norm` bounds the norm of the whole gradient (None: unbounded).
    `static_weights` multiply the losses (empty: 1 each) in `ls` and wherever a method's `weighting` is null.
    `normalise` holds `mean` and `std` of the input per channel. `val: none` trains on the validation samples as well.
    `bn_updates: all` lets every forward of a batch update norm statistics. `augmentation` changes the training batches,
    one after another, before they are normalised.

    Raises BenchError for an unknown precision, validation rule, norm rule or kind of augmentation.
    """

    revision: ClassVar[int] = 1

    batch_size: int
    budget: Budget
    optimizer: Callable[..., torch.optim.Optimizer]
    schedule: Schedule = field(default_factory=Constant)
    drop_last: bool = True
    head_lr_factor: float = 1.0
    clip_norm: float | None = None
    static_weights: Mapping[str, float] = field(default_factory=dict)
    normalise: Mapping[str, list[float]] | None = None
    precision: Literal["fp64", "fp32", "tf32", "bf16"] = "fp32"
    val: Literal["held_out", "none"] = "held_out"
    bn_updates: Literal["first", "all"] = "first"
    augmentation: Sequence[Augmentation] = ()

    def __post_init__(self) -> None:
        check_choices(self, "protocol.training.")
        if self.batch_size < 1:
            raise BenchError(f"protocol.training.batch_size must be at least 1, got {self.batch_size}.")
        if not 0 < self.head_lr_factor < math.inf:
            raise BenchError(
                "Heads learn at protocol.training.head_lr_factor times the learning rate, which must be above 0 and "
                f"finite, got {self.head_lr_factor}."
            )
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise BenchError(f"protocol.training.clip_norm must be positive, or null for none, got {self.clip_norm}.")
        self._check_normalise()
        for number, one in enumerate(self.augmentation):
            if not isinstance(one, Augmentation):
                raise BenchError(
                    f"protocol.training.augmentation.{number} ({type(one).__name__}) is no Augmentation; derive it "
                    f"from {Augmentation.__module__}.Augmentation."
                )

    def weights_of(self, tasks: Iterable[str]) -> dict[str, float]:
        """`static_weights` of those that are trained; empty where there are none."""
        return {task: self.static_weights[task] for task in tasks if task in self.static_weights}

    def _check_normalise(self) -> None:
        given = self.normalise
        if given is None:
            return
        if (
            set(given) != {"mean", "std"}
            or len(given["mean"]) != len(given["std"])
            or not all(s > 0 for s in given["std"])
        ):
            raise BenchError(
                "protocol.training.normalise needs a mean and a std above 0 per channel, as in "
                f"{{mean: [0.13], std: [0.31]}}; got {dict(given)}."
            )


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """The part that decides which numbers are read off a run: outside its identity, inside its experiment's.

    `delta_m` is {definition, terms: {task: [metric, …]}}, of an auxiliary task, which trains along, an empty list;
    `selection` is the rule by which test values are taken.
    `evaluate_every` counts epochs, and the end of the budget is always evaluated, `evaluation_batch_size` samples at a
    time. Single-task baselines train `single_model` (None: the experiment's own), and `single_training` is
    merged into their training, so that the baselines of one protocol may serve a changed one.
    """

    revision: ClassVar[int] = 1

    delta_m: Mapping[str, Any]
    selection: SelectionRule = field(default_factory=Last)
    evaluate_every: int = EVERY
    evaluation_batch_size: int = BATCH
    single_model: Mapping[str, Any] | None = None
    single_training: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.evaluate_every < 1 or self.evaluation_batch_size < 1:
            raise BenchError("protocol.reporting: evaluate_every and evaluation_batch_size must be at least 1.")

    def scored(self, tasks: Iterable[str]) -> list[str]:
        """Those that count in Δm."""
        return [task for task in tasks if self.delta_m["terms"][task]]
