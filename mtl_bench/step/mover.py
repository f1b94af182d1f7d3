"""What moves parameters: the optimizer's step, clipped and guarded, and trials that leave no trace."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from mtl_bench.errors import BenchError, unforeseen
from mtl_bench.step.failures import is_finite
from mtl_bench.step.norms import NormSwitch
from mtl_bench.step.ownership import Ownership
from mtl_bench.step.snapshot import BufferSnapshot, OptimizerSnapshot, RandomState, Snapshot

# what divides gradients by their running size; those with decoupled weight decay among them say so in their groups
NORMALISING = (
    torch.optim.Adam,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.Adamax,
    torch.optim.Adagrad,
    torch.optim.Adadelta,
    torch.optim.RMSprop,
)


def needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Whether it runs forwards within its step, as LBFGS does."""
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


class Mover:
    """Lives as long as the run; `version` is raised whenever parameters move, so that older graphs are known as such.

    `module` holds the buffers that a trial puts back and the norms that are switched; None: there are none to know of.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        ownership: Ownership,
        module: nn.Module | None,
        device: torch.device,
        generator: torch.Generator,  # host
        device_generator: torch.Generator,
        clip_norm: float | None = None,
        bn_updates: Literal["first", "all"] = "first",
    ) -> None:
        self.optimizer, self.ownership, self.module = optimizer, ownership, module
        self.device, self.generator, self.device_generator = device, generator, device_generator
        self.clip_norm = clip_norm
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.norms = NormSwitch(module or nn.Module(), every_forward=bn_updates == "all")
        self.version = 0
        self.in_trial = False
        # whether the fused optimizer reads `finite` itself: on a CPU a read costs less than its way of skipping
        self.skips_on_device = bool(optimizer.defaults.get("fused")) and device.type == "cuda"
        self._seen: list[Tensor] = []  # losses behind the gradients that the next `apply` uses
        self._snapshot: tuple[int, Snapshot] | None = None  # of the parameters; serves every trial at that version
        self._saved_optimizer: OptimizerSnapshot | None = None
        self._start_momentum()

    @property
    def lr(self) -> float:
        """That of the first shared parameter, else of the first group."""
        first = next(iter(self.ownership.shared.values()), None)
        groups = [group for group in self.optimizer.param_groups if any(p is first for p in group["params"])]
        return float((groups or self.optimizer.param_groups)[0]["lr"])

    @property
    def normalised_decay(self) -> bool:
        """Whether weight decay reaches shared parameters as a part of the gradient that the optimizer normalises: with
        a gradient of 0 it then moves them by the learning rate, however small it is.
        """
        if not isinstance(self.optimizer, NORMALISING):
            return False
        shared = {id(p) for p in self.ownership.shared.values()}
        groups = [group for group in self.optimizer.param_groups if any(id(p) in shared for p in group["params"])]
        return any(group["weight_decay"] and not group.get("decoupled_weight_decay") for group in groups)

    def saw(self, values: Tensor) -> None:
        """Losses that the next step rests on: it is skipped where one is not finite."""
        self._seen.append(values)

    def forget(self) -> None:
        """What was to be the next step: its losses and gradients."""
        self._seen.clear()
        self._drop_gradients(except_for=())

    def apply(
        self, only: Literal["all", "shared"], rule: Literal["optimizer", "sgd"], stale: Sequence[int]
    ) -> Bool[Tensor, ""]:
        """Step, gradients to None; whether all was finite, and so whether anything moved."""
        for parameter in (p for task in stale for p in self.ownership.owned[task] if p.grad is None):
            parameter.grad = torch.zeros_like(parameter)
        moved = list(self.ownership.shared.values()) if only == "shared" else self.parameters
        gradients = [p.grad for p in moved if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        finite = is_finite([norm, *self._seen])
        if rule == "sgd":
            self._descend(moved, finite)
        else:
            if only == "shared":
                self._drop_gradients(except_for=moved)
            if self.clip_norm is not None:
                nn.utils.clip_grads_with_norm_(moved, self.clip_norm, norm)
            self._optimizer_step(finite)
        self.forget()
        self.version += 1
        return finite

    @torch.no_grad()
    def _descend(self, parameters: Sequence[nn.Parameter], finite: Tensor) -> None:
        """θ −= lr · g, without clip, decay or momentum; nothing moves when the step is not finite."""
        for group in self.optimizer.param_groups:
            members = {id(p) for p in group["params"]}
            for parameter in parameters:
                if parameter.grad is not None and id(parameter) in members:
                    step = torch.where(finite, parameter.grad, torch.zeros_like(parameter.grad))
                    parameter.sub_(step, alpha=group["lr"])

    def _optimizer_step(self, finite: Tensor) -> None:
        if self.in_trial and self._saved_optimizer is None:
            self._saved_optimizer = OptimizerSnapshot(self.optimizer)
        if self.skips_on_device:  # state and step count stay untouched, and nothing waits
            self.optimizer.grad_scale = None  # type: ignore[attr-defined]
            self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
            self._step()
        elif bool(finite):
            self._step()

    def _step(self) -> None:
        """Raises BenchError for an optimizer that wants a closure, sparse gradients or another device."""
        try:
            self.optimizer.step()
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise BenchError(
                f"{type(self.optimizer).__name__} cannot step on the gradients of this model: {unforeseen(error)}; "
                "choose other arguments, or an optimizer that can, such as torch.optim.AdamW."
            ) from error

    def _start_momentum(self) -> None:
        """Zero buffers for torch's fused SGD, which cannot start one parameter's momentum later than another's (absent
        tasks), and leaves a buffer uninitialised when the step that would start it is skipped.
        """
        for group in self.optimizer.param_groups:
            if group.get("fused") and group.get("momentum"):
                for parameter in group["params"]:
                    self.optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))

    def _drop_gradients(self, except_for: Sequence[nn.Parameter]) -> None:
        kept = {id(p) for p in except_for}
        for parameter in self.parameters:
            if id(parameter) not in kept:
                parameter.grad = None

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Parameters, buffers, optimizer state, random streams and norm flags are bit-identical after it."""
        module = self.module
        if self._snapshot is None or self._snapshot[0] != self.version:
            self._snapshot = None  # frees its memory before the next one is taken
            self._snapshot = (self.version, Snapshot(module.parameters() if module else self.parameters))
        parameters = self._snapshot[1]
        buffers = BufferSnapshot(module)  # anew: a forward moves them without a new version
        random = RandomState(self.device, (self.generator, self.device_generator))
        norms = self.norms.flags()
        outside = self.in_trial, self._saved_optimizer, self._seen
        self.in_trial, self._saved_optimizer, self._seen = True, None, []
        try:
            yield
        finally:
            parameters.restore()
            buffers.restore()
            random.restore()
            self.norms.restore(norms)
            if self._saved_optimizer is not None:
                self._saved_optimizer.restore()
            self._drop_gradients(except_for=())
            self.in_trial, self._saved_optimizer, self._seen = outside
            self.version += 1
            self._snapshot = (self.version, parameters)  # the parameters are the ones it holds
