"""Aggregators of TorchJD, where it is installed."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import isabstract, signature
from typing import Any, ClassVar

import torch

from mtl_bench.errors import BenchError, unforeseen
from mtl_bench.kinds import shown
from mtl_bench.methods.gradient import GradientMethod
from mtl_bench.methods.interface import Context, Step, TaskGradients
from mtl_bench.methods.module_memory import ModuleMemory

WRAPPED = {"weighting", "gramian_weighting"}  # arguments of classes that are made around another


@dataclass(kw_only=True, eq=False)
class TorchJD(GradientMethod):
    """d = A(G): A an aggregator of TorchJD (Quinton & Rey, 2024), G this suite's rows.

    `aggregator` is the name of its class (or of its weighting's), `options` are its arguments, in which a list of
    numbers is a tensor: `pref_vector: [1, 2]`. Where it works on the Gramian it gets that, on the host, else the rows;
    both in the rows' type, in which TorchJD would have computed them.

    * Scale: one that makes K equal gradients their mean (UPGrad, MGDA, AlignedMTL) is multiplied by k, as methods are
      here (`raw_scale=True`: as TorchJD has it); any other scale is left as it is.
    * Random numbers come from torch's own stream, which is seeded by the run's for each batch and put back after it.
    * What it remembers (GradVac, ExcessMTL, PCD) is in the checkpoint. One whose memory cannot be (NashMTL, whose
      solver is part of it) is refused.
    * A batch without some task gives fewer rows: options with an entry per task do not fit it, and what it remembers
      starts anew or does not fit either, as TorchJD decides. TorchJD's version is part of a run's identity.

    Cost: 1 forward, k encoder backwards, k × P memory, one host copy, and what the aggregator takes.

    Raises BenchError where TorchJD is not installed or has no such aggregator, for options that do not fit it, and for
    one that fails on gradients of K tasks.
    """

    natural_sum: ClassVar[None] = None
    version_of: ClassVar[str] = "torchjd"
    state: ClassVar[tuple[str, ...]] = ("memory",)

    aggregator: str = "UPGrad"
    options: Mapping[str, Any] | None = None
    made: Any = field(init=False, repr=False)
    memory: ModuleMemory = field(init=False, repr=False)
    averages: bool = field(default=False, init=False)  # K equal gradients become their mean

    def check_options(self) -> None:
        super().check_options()
        if not isinstance(self.options, Mapping | None):
            raise BenchError(
                f"method.options are arguments by name, as in {{pref_vector: [1, 2]}}; got {shown(self.options)}."
            )

    def setup(self, context: Context) -> None:
        super().setup(context)
        known, name = _aggregators(), self.aggregator.removesuffix("Weighting")
        if name not in known:
            raise BenchError(f"TorchJD has no aggregator {self.aggregator}; choose among {', '.join(known)}.")
        like = torch.empty(0) if context.last_shared is None else context.last_shared.detach()
        device = torch.device("cpu") if _is_of_gramian(known[name]) else context.device
        given = {key: _tensor(value, like.dtype, device) for key, value in (self.options or {}).items()}
        with self._named(f"cannot be made with method.options={dict(self.options or {})}"):
            self.made = known[name](**given)
        self.memory = ModuleMemory(self.made, device)
        self._rehearse(len(context.tasks), like.dtype, context.device)

    def _rehearse(self, tasks: int, dtype: torch.dtype, device: torch.device) -> None:
        """On a copy: whether it works and can be kept, and its scale."""
        rows = torch.eye(tasks, tasks + 2, dtype=dtype, device=device)
        tried, generator = copy.deepcopy(self.made), torch.Generator()
        before = ModuleMemory(tried, device).objects()
        with self._named(f"cannot aggregate the gradients of {tasks} tasks"), drawing(generator, device):
            tried(rows)
            if ModuleMemory(tried, device).objects() != before:
                raise BenchError(
                    f"TorchJD's {self.aggregator} remembers what a checkpoint cannot hold; take this suite's own form."
                )
            equal = [length * torch.ones_like(rows) for length in (1.0, 10.0)]
            found = [copy.deepcopy(self.made)(one) for one in equal]
        self.averages = all(torch.allclose(a, one[0], rtol=0.01) for a, one in zip(found, equal, strict=True))

    def write(self, gradients: TaskGradients, step: Step) -> None:
        gramian, rows = gradients.gramian(), gradients.matrix()
        k = len(rows)
        if not (gramian.isfinite().all() and gradients.losses.isfinite().all()):
            gradients.combine(torch.full((k,), torch.nan))  # skipped on the device; no memory of it
            return
        factor = k if self.averages and not self.raw_scale else 1
        failed = self._named(f"failed on the gradients of {k} tasks")
        with failed, torch.no_grad(), drawing(step.generator, rows.device):
            if _is_of_gramian(type(self.made)):
                gradients.combine(factor * self.made.gramian_weighting(gramian.to(rows.dtype)))
            else:
                gradients.assign(factor * self.made(rows))

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """An aggregator may raise anything."""
        try:
            yield
        except (BenchError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise BenchError(f"TorchJD's {self.aggregator} {what}: {unforeseen(error)}.") from error


def _aggregators() -> dict[str, type]:
    """By name. Raises BenchError where TorchJD is not installed."""
    try:
        from torchjd import aggregation
    except ImportError as error:
        raise BenchError("method=torchjd needs a package that is missing: pip install 'mtl-bench[torchjd]'.") from error
    found = {name: getattr(aggregation, name) for name in aggregation.__all__}
    kinds = {name: kind for name, kind in found.items() if issubclass(kind, aggregation.Aggregator)}
    return {n: k for n, k in kinds.items() if not (isabstract(k) or WRAPPED & signature(k).parameters.keys())}


def _is_of_gramian(kind: type) -> bool:
    from torchjd.aggregation import GramianWeightedAggregator

    return issubclass(kind, GramianWeightedAggregator)


def _tensor(value: Any, dtype: torch.dtype, device: torch.device) -> Any:
    return torch.tensor(value, dtype=dtype, device=device) if isinstance(value, list | tuple) else value


@contextmanager
def drawing(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """What the block draws from torch's own streams follows from `generator`; the streams are as before after it."""
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
