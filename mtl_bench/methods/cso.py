"""Connection-strength optimization."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.channel_priority import connection_strength, project_onto_priority
from mtl_bench.methods.interface import Context, Step
from mtl_bench.methods.weighted import WeightedMethod

__all__ = ["CSO", "connection_strength", "project_onto_priority"]

PHASES = (1, 2, "sequential", "mixed")


@dataclass(kw_only=True, eq=False)
class CSO(WeightedMethod):
    """Learn which task each channel serves best, then keep that priority (Jeong and Yoon, CVPR 2024, alg. 1).

    Phase 1: the tasks step one after another on the batch. Phase 2: one joint step; in each shared layer the channels
    whose top task (largest `connection_strength`) is i form one group, and every other task's gradient on that group
    that conflicts with task i's is projected onto its normal plane; the rest is summed. At epoch e of E a batch is of
    phase 1 with probability 1 − e/E (`phase=mixed`; e/E is the share of the budget used when the epoch began, whatever
    unit it has); `phase=1`, `2` and `sequential` (both in turn) are the ablations.

    `granularity`: the phase is drawn per `iteration` (released code) or per `epoch` (the paper's words). `order` of the
    tasks in phase 1: `fixed` as released, or `random`. `degenerate`: a layer of which one task owns every channel is
    summed (`sum`, released code) or projected (`project`, alg. 1). `linear=True` admits linear layers with LayerNorms
    per task, whose strength has no variance: an extension, not the paper's. `weighting` scales the losses (None: the
    protocol's static weights); phase 1 sees one task at a time, so it must be separable.

    Cost per batch with K paths: phase 1 k forwards, k backwards, k optimizer steps; phase 2 the same with one optimizer
    step and k × P memory. No host copy.

    Raises BenchError for a model without encoder norms per task (phase 1 alone needs none), for a weighting that is not
    separable, and for unknown options.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("drawn", "begun", "phases", "share")

    phase: Literal[1, 2, "sequential", "mixed"] = "mixed"
    granularity: Literal["iteration", "epoch"] = "iteration"
    order: Literal["fixed", "random"] = "fixed"
    degenerate: Literal["sum", "project"] = "sum"
    linear: bool = False
    drawn: list[int] = field(default_factory=lambda: [-1, 0], init=False)  # epoch of the last draw, phase
    begun: list[float] = field(default_factory=lambda: [-1, 0.0], init=False)  # epoch, budget used when it began
    phases: list[int] = field(default_factory=lambda: [0, 0], init=False)  # batches of each in this epoch
    share: float = field(default=0.0, init=False)  # of phase 1 in the last whole epoch

    def setup(self, context: Context) -> None:
        super().setup(context)
        self._check()
        norms = {name: layers for name, (_, layers) in context.task_norms.items()}
        if not norms and self.phase != 1:
            raise BenchError(
                "CSO reads priorities from encoder norms per task, which this model has none of; set "
                "model.task_norm=true."
            )
        if (
            self.phase != 1
            and not self.linear
            and any(not hasattr(layers[0], "running_var") for layers in norms.values())
        ):
            raise BenchError(
                "CSO is defined for convolutions; for linear layers with LayerNorm set method.linear=true."
            )
        if self.phase != 2 and not self.active_weighting.separable:
            raise BenchError("Phase 1 of CSO sees one task at a time; choose a weighting such as uw, dwa or fixed.")

    def update(self, step: Step) -> None:
        phase = self._choose(step)
        self.phases[phase - 1] += 1
        if phase == 1:
            self._learn(step)
        else:
            self._conserve(step)

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:
        super().end_epoch(means)
        self.share = self.phases[0] / max(1, sum(self.phases))
        self.phases = [0, 0]

    def findings(self) -> dict[str, Any]:
        """`phase_1`: its share of the epoch's batches; `priority`: by layer, the share of channels each task owns."""
        K = len(self.context.tasks)
        owned = {name: self.priority(name, range(K)) for name in self.context.task_norms}
        shares = {name: (top.bincount(minlength=K) / len(top)).tolist() for name, top in owned.items()}
        return {"phase_1": self.share, "priority": shares}

    @torch.no_grad()
    def priority(self, name: str, tasks: "range | tuple[int, ...]") -> Int[Tensor, "channels"]:
        """Position in `tasks` of the task that each output channel of a shared weight serves best; ties: the first."""
        weight, norms = self.context.task_norms[name]
        gamma = torch.stack([norms[task].get_parameter("weight") for task in tasks])
        batch_norm = hasattr(norms[0], "running_var")
        variance = torch.stack([norms[task].get_buffer("running_var") for task in tasks]) if batch_norm else None
        return connection_strength(weight, gamma, variance).argmax(dim=0)

    def _choose(self, step: Step) -> int:
        if self.phase in (1, 2):
            return int(self.phase)
        if self.begun[0] != step.epoch:
            self.begun = [step.epoch, step.progress]
        if self.granularity == "epoch" and self.drawn[0] == step.epoch:
            return self.drawn[1]
        if self.phase == "sequential":
            phase = 1 if self.drawn[1] != 1 else 2
        else:
            uniform = torch.rand((), generator=step.generator).item()
            phase = 1 if uniform >= self.begun[1] else 2
        self.drawn = [step.epoch, phase]
        return phase

    def _learn(self, step: Step) -> None:
        tasks = step.tasks
        if self.order == "random":
            tasks = tuple(tasks[i] for i in torch.randperm(len(tasks), generator=step.generator).tolist())
        for task in tasks:
            losses = step.losses([task])
            step.backward(losses, self.weigh(losses, step))
            self.observe(losses)
            step.apply()

    def _conserve(self, step: Step) -> None:
        losses = step.losses()
        gradients = step.gradients(losses, weights=self.weigh(losses, step))
        direction = {}
        for name, rows in gradients.layers():
            if name not in self.context.task_norms:
                direction[name] = rows.sum(dim=0)
                continue
            top = self.priority(name, gradients.tasks)
            projected = project_onto_priority(rows, top)
            alone = (top == top[0]).all() & (self.degenerate == "sum")
            direction[name] = torch.where(alone, rows.sum(dim=0), projected)  # a choice without waiting for the device
        gradients.assign(direction)
        self.observe(losses)
        step.apply()

    def _check(self) -> None:
        for name, value, known in (
            ("phase", self.phase, PHASES),
            ("granularity", self.granularity, ("iteration", "epoch")),
            ("order", self.order, ("fixed", "random")),
            ("degenerate", self.degenerate, ("sum", "project")),
        ):
            if value not in known or isinstance(value, bool):
                raise BenchError(f"method.{name} is one of {', '.join(map(str, known))}; got {value!r}.")
