"""Connection-strength optimization."""

import logging
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.methods.channel_priority import connection_strength, project_onto_priority
from mtl_bench.methods.composable import ComposableMethod
from mtl_bench.methods.gradient import require_shared
from mtl_bench.methods.interface import Context, GramianProblem, Step, TaskGradients
from mtl_bench.methods.layer_names import layer_of
from mtl_bench.methods.pcgrad import PCGrad

log = logging.getLogger(__name__)

__all__ = ["CSO", "connection_strength", "project_onto_priority"]


@dataclass(kw_only=True, eq=False)
class CSO(ComposableMethod):
    """Learn which task each channel serves best, then keep that priority (Jeong and Yoon, CVPR 2024, alg. 1).

    Phase 1: the tasks step one after another on the batch. Phase 2: one joint step; in each shared layer the channels
    whose top task (largest `connection_strength`) is i form one group, and every other task's gradient on that group
    that conflicts with task i's is projected onto its normal plane; the rest is summed. At epoch e of E a batch is of
    phase 1 with probability 1 − e/E (`phase=mixed`; e/E is the share of the budget used when the epoch began, whatever
    unit it has); `phase=1`, `2` and `sequential` (both in turn) are the ablations.

    `granularity`: the phase is drawn per `iteration` (released code) or per `epoch` (the paper's words). `order` of the
    tasks in phase 1: `fixed` as released, or `random`. `degenerate`: a layer of which one task owns every channel is
    summed (`sum`, released code) or projected (`project`, alg. 1). `pairs`: `all` shared convolutions that a norm per
    task follows (the paper's words), or as `released`, where a layer `convN` goes with its `bnN` by name, so that
    shortcuts and laterals are summed like everything else (9 of the 26 layers of `resnet18_rooms`).

    Controls: `projection=pcgrad` makes phase 2 a step of PCGrad on all shared parameters (no norms per task are
    needed); `strength=bn` leaves out the convolution's energy, γ² / (v + ε). An extension, not the paper's:
    `linear=True` admits linear layers with LayerNorms per task, whose strength has no variance. `weighting` scales the
    losses (None: the protocol's static weights); phase 1 sees one task at a time, so it must be separable.

    Cost per batch with K paths: k forwards, k backwards, in phase 1 k optimizer steps; in phase 2 k × P memory. No host
    copy (`projection=pcgrad`: one of the Gramian).

    Raises BenchError for a model without encoder norms per task (phase 1 alone needs none), for a weighting that is not
    separable, and for unknown options.
    """

    natural_sum: ClassVar[Literal["k"]] = "k"
    state: ClassVar[tuple[str, ...]] = ("drawn", "begun", "phases", "share")

    phase: Literal[1, 2, "sequential", "mixed"] = "mixed"
    granularity: Literal["iteration", "epoch"] = "iteration"
    order: Literal["fixed", "random"] = "fixed"
    degenerate: Literal["sum", "project"] = "sum"
    pairs: Literal["all", "released"] = "all"
    projection: Literal["priority", "pcgrad"] = "priority"
    strength: Literal["conv_bn", "bn"] = "conv_bn"
    linear: bool = False
    drawn: list[int] = field(default_factory=lambda: [-1, 0], init=False)  # epoch of the last draw, phase
    begun: list[float] = field(default_factory=lambda: [-1, 0.0], init=False)  # epoch, budget used when it began
    phases: list[int] = field(default_factory=lambda: [0, 0], init=False)  # batches of each in this epoch
    share: float = field(default=0.0, init=False)  # of phase 1 in the last whole epoch
    warned: bool = field(default=False, init=False, repr=False)

    def setup(self, context: Context) -> None:
        super().setup(context)
        if self.phase != 1:
            require_shared(self, context)
        self.prioritised = [name for name in context.task_norms if self.pairs == "all" or _is_released(name)]
        reads_norms = self.phase != 1 and self.projection == "priority"
        if reads_norms and not context.task_norms:
            raise BenchError(
                "CSO reads priorities from encoder norms per task, which this model has none of; set "
                "model.task_norm=true."
            )
        linear = [name for name, (_, norms) in context.task_norms.items() if not hasattr(norms[0], "running_var")]
        if reads_norms and linear and not self.linear:
            raise BenchError(
                "CSO is defined for convolutions; for linear layers with LayerNorm set method.linear=true."
            )
        if reads_norms and not self.prioritised:
            raise BenchError("No shared layer here is named convN, as pairs=released wants; set method.pairs=all.")
        if self.phase != 2 and not self.active_weighting.separable:
            raise BenchError("Phase 1 of CSO sees one task at a time; choose a weighting such as uw, dwa or fixed.")
        if self.phase != 2:
            context.require_repeats()

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
        owned = {name: self.priority(name, range(K)) for name in self.prioritised}
        shares = {name: (top.bincount(minlength=K) / len(top)).tolist() for name, top in owned.items()}
        return {"phase_1": self.share, "priority": shares}

    @torch.no_grad()
    def priority(self, name: str, tasks: "range | tuple[int, ...]") -> Int[Tensor, "channels"]:
        """Position in `tasks` of the task that each output channel of a shared weight serves best; ties: the first."""
        weight, norms = self.context.task_norms[name]
        gamma = torch.stack([norms[task].get_parameter("weight") for task in tasks])
        batch_norm = hasattr(norms[0], "running_var")
        variance = torch.stack([norms[task].get_buffer("running_var") for task in tasks]) if batch_norm else None
        energy = weight if self.strength == "conv_bn" else torch.ones_like(weight)
        return connection_strength(energy, gamma, variance).argmax(dim=0)

    def _choose(self, step: Step) -> int:
        if self.phase in (1, 2):
            return int(self.phase)
        if self.begun[0] != step.epoch:
            self.begun = [step.epoch, step.progress]
        if self.phase == "mixed" and not (self.warned or step.epoch) and step.progress >= 0.5:
            self.warned = True
            log.warning(
                "Half of the training is over within its first epoch, in which all batches of CSO are of phase 1; "
                "train for several epochs, and in a loop of your own call end_epoch() after each."
            )
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
        losses = step.losses(at="shared")
        gradients = step.gradients(losses, weights=self.weigh(losses, step))
        if self.projection == "pcgrad":
            gradients.combine(PCGrad().weights(GramianProblem(gradients.gramian(), generator=step.generator)))
        else:
            gradients.assign(self._projected(gradients))
        self.observe(losses)
        step.apply()

    def _projected(self, gradients: TaskGradients) -> dict[str, Tensor]:
        direction = {}
        for name, rows in gradients.layers():
            if name not in self.prioritised:
                direction[name] = rows.sum(dim=0)
                continue
            top = self.priority(name, gradients.tasks)
            projected = project_onto_priority(rows, top)
            alone = (top == top[0]).all() & (self.degenerate == "sum")
            direction[name] = torch.where(alone, rows.sum(dim=0), projected)  # a choice without waiting for the device
        return direction


def _is_released(name: str) -> bool:
    """Whether the release finds the norm of a weight by its name: `….convN.weight` goes with `….bnN`."""
    return layer_of(name).rpartition(".")[2].startswith("conv")
