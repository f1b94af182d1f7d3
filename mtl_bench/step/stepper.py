"""Any method in anyone's training loop."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.interface import Context
from mtl_bench.methods.layer_names import UNNAMED
from mtl_bench.step.batch_step import BatchStep
from mtl_bench.step.contract import check_contract
from mtl_bench.step.counts import StepCounts
from mtl_bench.step.engines.engine import engines
from mtl_bench.step.epoch_means import EpochMeans
from mtl_bench.step.forward import Forward, Forwarded, Part
from mtl_bench.step.ledger import Ledger
from mtl_bench.step.loop import LoopForward, Losses, Taps, autocast_now, called, paused
from mtl_bench.step.loop_options import check_options, check_saved, chosen_tasks, splitter
from mtl_bench.step.means import Means
from mtl_bench.step.mover import Mover
from mtl_bench.step.ownership import Ownership, found_ownership, ownership
from mtl_bench.step.reduce import Reduce, reduce_of_this_run
from mtl_bench.step.snapshot import BufferSnapshot, RandomState
from mtl_bench.streams import stream_seed

Parameters = nn.Module | Iterable[nn.Parameter | nn.Module]
log = logging.getLogger(__name__)

Norms = Mapping[str, tuple[nn.Parameter, tuple[nn.Module, ...]]]


class Stepper:
    """`stepper.step(lambda: losses)` is one batch of any method: forward, gradients, optimizer step.

    `shared` are the parameters that all losses may reach, `heads[k]` those of loss k alone; left out, they are found by
    autograd on the first batch. `model` is what the losses are computed with: methods that run several forwards per
    batch need it, so that norms, buffers and dropout stay exact. `features` are the modules whose outputs the heads
    read: heads then run backward once, and gradients can be taken there. A model with a path per task
    (`per_task_path`: norms per task, say) hands over `lambda task: loss`; `task_norms` is any name → (a shared weight,
    the norm of each task behind it), which connection strength reads.

    `tasks` are names for findings, `likelihoods` "classification" or "regression" per task (for uncertainty weighting),
    `static_weights` by name, `total_steps` the batches of the whole training for methods that follow its progress.
    `held_out` computes the losses of a batch that is not trained on, the next one at each call, for methods that learn
    from such samples: all tasks have a label in it, and the model is in evaluation mode meanwhile.
    `clip_norm` clips inside the step; `bn_updates` says whether norms update their statistics at their own first
    forward of a batch or at all. `sweeps_together` may take the gradients of three tasks and more in one backward of
    a small encoder, by `torch.autograd.grad(is_grads_batched=True)`: one without checkpoints, compiled parts, or hooks
    with a state, which are called once for all. The learning rate's schedule and evaluation stay yours. Call
    `end_epoch` after each epoch: what goes by epochs, phases among it, moves there only. Where torch.distributed runs
    several processes, each gives the losses of its part of a batch: the mean over processes is what is trained.

    Raises BenchError for a method whose needs are not met, and on the first batch for a parameter that a loss reaches
    although it is listed elsewhere or nowhere.
    """

    def __init__(
        self,
        method: Method,
        *,
        optimizer: torch.optim.Optimizer,
        shared: Parameters | None = None,
        heads: Iterable[Parameters] | None = None,
        model: nn.Module | None = None,
        features: Sequence[nn.Module] = (),
        per_task_path: bool = False,
        task_norms: Norms | None = None,
        tasks: Sequence[str] | None = None,
        likelihoods: Sequence[Literal["classification", "regression"]] = (),
        static_weights: Mapping[str, float] | None = None,
        total_steps: int | None = None,
        held_out: Losses | None = None,
        clip_norm: float | None = None,
        bn_updates: Literal["first", "all"] = "first",
        seed: int = 0,
        sweeps_together: bool = False,
    ) -> None:
        if (shared is None) != (heads is None):
            raise BenchError("Give both shared= and heads=, or neither, and they are found on the first batch.")
        check_options(method, optimizer, tasks, likelihoods, clip_norm, bn_updates)
        if held_out is not None and model is None:
            raise BenchError("held_out= needs model=, which is in evaluation mode while those losses are computed.")
        self.method, self.optimizer, self.model, self.held_out = method, optimizer, model, held_out
        self.names = _names(optimizer, model)
        self.per_task_path, self.task_norms = per_task_path, dict(task_norms or {})
        self.tasks, self.likelihoods = tasks, tuple(likelihoods)
        self.static_weights, self.total_steps = static_weights or {}, total_steps
        self.clip_norm, self.bn_updates, self.seed, self.sweeps_together = clip_norm, bn_updates, seed, sweeps_together
        self.reduce: Reduce = reduce_of_this_run()
        self.taps = Taps(features)
        self.epoch = self.steps = 0
        self._told = 0  # of the skipped steps
        self._autocast: torch.autocast | None = None  # that of the loop
        self.means: Means | None = None
        if shared is not None and heads is not None:
            listed = [*heads] if isinstance(heads, Iterable) else [heads]
            given = [parameters_of(group) for group in (shared, *listed)]
            self._prepare(self._given(given), given[0])

    def step(
        self,
        losses: Losses,
        tasks: Iterable[int] | None = None,
        kind: Callable[..., BatchStep] = BatchStep,
        split: Callable[[int], Sequence[Losses]] | None = None,
    ) -> Float[Tensor, "K"]:
        """One batch; the K raw losses, detached (NaN for a task left out of `tasks`, those with a label in it).

        `split` gives, for methods that work on parts of a batch, the losses of so many disjoint ones. `kind` makes the
        step that the method is handed: one that only watches, for `check_step`.
        """
        if self.means is None:
            owners = self._found(losses)
            self._prepare(owners, self._perhaps_shared(owners))
        means = self._ready()
        if self._trained != _trained(self.optimizer):
            raise BenchError(
                "Parameters were frozen, set free or handed to the optimizer since this stepper was made, which "
                "it cannot follow; make a new one and load the state_dict() of this."
            )
        self._autocast = autocast_now(self._device())
        part = self._part(losses, tasks, split)
        if part.tasks:  # none with a label in this batch: there is nothing to learn from
            with means.batch(), paused(self._autocast):  # for Gramians and directions
                self.method.update(kind(part, means, self.epoch, self._progress()))
        self.steps += 1
        found = means.ledger.batch_losses()
        self.epoch_means.add(found)
        means.ledger.counts.batches += 1
        return found

    @property
    def skipped(self) -> int:
        """Optimizer steps that moved nothing, because a loss or a gradient was not finite. Waits for the device."""
        return 0 if self.means is None else int(self.means.ledger.failures.totals[0])

    def end_epoch(self) -> dict[str, Any]:
        """Tells the method the mean losses of the epoch; what it has found out so far. Warns of skipped steps."""
        if skipped := self.skipped - self._told:
            self._told += skipped
            log.warning(
                "%d optimizer steps of this epoch moved nothing, because a loss or a gradient was not finite; lower "
                "the learning rate, or see whether %s bears such losses.",
                skipped,
                type(self.method).__name__,
            )
        self.method.end_epoch(self.epoch_means.close())
        self.epoch += 1
        return self.method.findings()

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint, beside model and optimizer; empty before the first batch where ownership is to be found."""
        if self.means is None:
            return {}
        mover = self.means.mover
        return {
            "name": type(self.method).__name__,
            "method": deepcopy(self.method.state_dict()),
            "generator": mover.generator.get_state(),
            "device_generator": mover.device_generator.get_state(),
            "epoch_means": self.epoch_means.state(),
            "nonfinite": self.means.ledger.failures.totals,
            "counts": asdict(self.means.ledger.counts),
            "epoch": self.epoch,
            "steps": self.steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises BenchError where shared= and heads= were left out, which are only known after a batch, and for the
        state of another method, of other options or tasks, or of a stepper before its first batch."""
        means = self._ready()
        check_saved(state, self.method, len(self._owners.owned))
        self.method.load_state_dict(state["method"])
        means.mover.generator.set_state(state["generator"])
        means.mover.device_generator.set_state(state["device_generator"])
        self.epoch_means.load(state["epoch_means"])
        means.ledger.failures.totals = state["nonfinite"].to(self._device())
        means.ledger.counts = StepCounts(**state.get("counts", {}))
        self.epoch, self.steps, self._told = state["epoch"], state["steps"], self.skipped

    def remove_hooks(self) -> None:
        """Leaves no trace in the model; this stepper is of no use afterwards."""
        self.taps.remove()
        if self.means is not None:
            self.means.mover.norms.remove()

    @property
    def _repeatable(self) -> bool:
        """Whether a second forward on a batch is exact."""
        return self.model is not None

    def _given(self, given: Sequence[Sequence[nn.Parameter]]) -> Ownership:
        """The parameters of shared=, then those of each of heads=."""
        trained = {id(parameter): name for name, parameter in self.names.items()}
        lists = [[p for p in group if id(p) in trained] for group in given]
        if any(given) and not any(lists):
            raise BenchError(
                "The optimizer holds no parameter of shared= and heads=; make it of the model that is trained."
            )
        for name, group in zip(("shared=", *(f"heads[{k}]" for k in range(len(given) - 1))), given, strict=True):
            for place, parameter in enumerate(group):
                if parameter.requires_grad and id(parameter) not in trained:
                    raise BenchError(
                        f"Parameter {place} of {name}, {list(parameter.shape)}, requires a gradient, and the optimizer "
                        "does not hold it; give it to the optimizer, or freeze it by requires_grad_(False)."
                    )
        return ownership({trained[id(p)]: p for p in lists[0]}, lists[1:])

    def _found(self, losses: Losses) -> Ownership:
        """One forward of the batch that leaves no trace."""
        if self.model is None or self.per_task_path:
            raise BenchError("Give shared= and heads=, or model= (of one path) with which they are found.")
        random, buffers = RandomState(self._device(), ()), BufferSnapshot(self.model)
        try:
            return found_ownership(called(losses), self.names)
        finally:
            buffers.restore()
            random.restore()

    def _perhaps_shared(self, owners: Ownership) -> list[nn.Parameter]:
        """With what is frozen and follows in the model: autograd cannot tell whether that is shared or a head's."""
        shared = list(owners.shared.values())
        every = [] if self.model is None else list(self.model.parameters())
        end = max((place for place, p in enumerate(every) if any(p is one for one in shared)), default=len(every))
        return shared + [parameter for parameter in every[end:] if not parameter.requires_grad]

    def _prepare(self, owners: Ownership, shared: Sequence[nn.Parameter]) -> None:
        """`shared` are those that are frozen, too, in the order of the forward."""
        device, K = self._device(), len(owners.owned)
        like = next(iter(self.names.values()))
        generators = torch.Generator(), torch.Generator(device)
        for generator, stream in zip(generators, ("method", "method on the device"), strict=True):
            generator.manual_seed(stream_seed(stream, self.seed))
        mover = Mover(self.optimizer, owners, self.model, device, *generators, self.clip_norm, self.bn_updates)
        weights = [parameter for parameter in shared if parameter.ndim > 1]
        last = weights[-1] if weights and weights[-1].requires_grad else None
        rows = engines(owners, self.reduce, self.per_task_path, last, self.sweeps_together)
        held_out = None if self.held_out is None else self._held_out
        means = Means(mover, Ledger(K, device, like.dtype), rows, self.reduce, held_out)
        names = tuple(self.tasks or (f"task_{k}" for k in range(K)))
        if len(names) != K:
            raise BenchError(f"There are {K} losses and {len(names)} names of tasks; name each loss once.")
        self.method.setup(
            Context(
                tasks=names,
                likelihoods=self.likelihoods,
                static_weights=self.static_weights,
                epochs=1,
                steps_per_epoch=self.total_steps or 1,
                device=device,
                per_task_path=self.per_task_path,
                last_shared=last,
                shared={name: parameter.shape for name, parameter in owners.shared.items()},
                task_norms=self._named_norms(owners),
                frozen=not owners.shared,
                held_out=held_out is not None,
                normalised_decay=mover.normalised_decay,
                repeatable=self._repeatable,
            )
        )
        self.epoch_means, self.means, self._owners = EpochMeans(K), means, owners
        self._trained, self._unseen = _trained(self.optimizer), set(range(K))
        listed = {id(p) for own in (owners.shared.values(), *owners.owned.values()) for p in own}
        self._strangers = any(p.requires_grad and id(p) not in listed for p in self.names.values())

    def _named_norms(self, owners: Ownership) -> Norms:
        """By the names that rows have; what is frozen has none."""
        names = {id(parameter): name for name, parameter in owners.shared.items()}
        able = {key: found for key, found in self.task_norms.items() if found[0].requires_grad}
        for key, (weight, norms) in able.items():
            if id(weight) not in names:
                raise BenchError(f"The weight of task_norms' {key!r} is not among those that are shared and trained.")
            if len(norms) != len(owners.owned):
                raise BenchError(f"task_norms' {key!r} has {len(norms)} norms; give one for each of the losses.")
        return {names[id(weight)]: (weight, norms) for weight, norms in able.values()}

    def _check(self, forwarded: Forwarded) -> None:
        """Until every loss was seen, and always where a parameter is in no list: a later batch may reach it."""
        names = self.method.context.tasks
        for task, term in forwarded.terms.items():
            if not term.requires_grad and (self._owners.shared or self._owners.owned[task]):
                raise BenchError(
                    f"The loss of task {names[task]} depends on no parameter that trains, as a constant does; leave "
                    "a task without a label out of the batch: step(losses, tasks=[…])."
                )
        if self._strangers or self._unseen & forwarded.terms.keys():
            check_contract(forwarded, self._owners, self.names, names)
            self._unseen -= forwarded.terms.keys()

    def _ready(self) -> Means:
        if self.means is None:
            raise BenchError("This stepper knows its tasks after its first batch; give shared= and heads=.")
        return self.means

    def _forward(self, losses: Losses) -> Forward:
        count, processes, passed = len(self._owners.owned), self.reduce.processes, self._ready().mover.norms.end_pass
        path = self.per_task_path
        around = self._autocast
        return LoopForward(losses, count, self.taps, path, self._check, self._repeatable, passed, processes, around)

    def _held_out(self) -> Part:
        assert self.held_out is not None
        return self._part(self.held_out)

    def _part(
        self,
        losses: Losses,
        tasks: Iterable[int] | None = None,
        split: Callable[[int], Sequence[Losses]] | None = None,
    ) -> Part:
        chosen = chosen_tasks(tasks, len(self._owners.owned))
        return Part(self._forward(losses), chosen, splitter(split, lambda part: self._part(part, chosen)))

    def _progress(self) -> float | None:
        return self.steps / self.total_steps if self.total_steps else None

    def _device(self) -> torch.device:
        return next(iter(self.names.values())).device


def _names(optimizer: torch.optim.Optimizer, model: nn.Module | None) -> dict[str, nn.Parameter]:
    """The parameters that are trained, as the model names them, else by their place in the optimizer and shape."""
    named = {id(parameter): name for name, parameter in model.named_parameters()} if model else {}
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return {named.get(id(p), f"{place} {UNNAMED}, {list(p.shape)}"): p for place, p in enumerate(trained)}


def _trained(optimizer: torch.optim.Optimizer) -> list[tuple[int, bool]]:
    return [(id(p), p.requires_grad) for group in optimizer.param_groups for p in group["params"]]


def parameters_of(parameters: Parameters) -> list[nn.Parameter]:
    """Of modules all of theirs. Raises BenchError for anything else, such as `named_parameters()`."""
    found: list[nn.Parameter] = []
    for part in [parameters] if isinstance(parameters, nn.Module | Tensor) else parameters:
        if not isinstance(part, nn.Module | Tensor):
            raise BenchError(f"shared= and heads= hold parameters or modules, not a {type(part).__name__}.")
        found += part.parameters() if isinstance(part, nn.Module) else [part]  # type: ignore[list-item]
    return found
