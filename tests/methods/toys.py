"""A three-task problem small enough for a laptop's patience, on the real machine and step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.data.split import Batch
from mtl_bench.methods import Method
from mtl_bench.methods.interface import Context, Level, TaskGradients, TaskLosses
from mtl_bench.models import MLP, LeNet, MultiTaskModel
from mtl_bench.step.batch_step import BatchStep
from mtl_bench.step.reduce import Reduce
from mtl_bench.tasks import Classification, Regression, Task
from mtl_bench.training.machine import Machine

TORCHJD = find_spec("torchjd") is not None  # an optional package, without which its method is left out
INPUT, INPUT_OF_CONVOLUTION = (1, 4, 4), (1, 8, 8)
CPU = torch.device("cpu")


def context(tasks: Sequence[str] = ("shape", "depth", "colour"), **changes: Any) -> Context:
    """What `setup` is told; tasks named `depth…` are regressions."""
    given: dict[str, Any] = {
        "tasks": tuple(tasks),
        "likelihoods": tuple("regression" if task.startswith("depth") else "classification" for task in tasks),
        "static_weights": {},
        "epochs": 4,
        "steps_per_epoch": 4,
        "device": CPU,
        "per_task_path": False,
        "last_shared": None,
        "shared": {},
        "held_out": True,
    }
    return Context(**{**given, **changes})


@dataclass
class Toy:
    """Machine and batches; batch n of the run is `batches[n % 4]`."""

    machine: Machine
    batches: list[Batch]
    context: Context

    def step(self, batch: int) -> "RecordedStep":
        made = self.machine.step(self.batches[batch % len(self.batches)], kind=RecordedStep)
        assert isinstance(made, RecordedStep)
        return made

    def train(self, method: Method, batches: Sequence[int]) -> None:
        for batch in batches:
            method.update(self.step(batch))

    @property
    def parameters(self) -> Float[Tensor, "P"]:
        """Every parameter in one vector, heads included."""
        return torch.cat([p.detach().reshape(-1) for p in self.machine.model.parameters()])

    def task_gradients(self, batch: int) -> Float[Tensor, "k P"]:
        """Rows on the shared parameters, one plain autograd call per task: what every engine must agree with."""
        shared = list(self.machine.model.shared_parameters().values())
        step = self.step(batch)
        graph = step.losses().graph
        assert graph is not None
        rows = [torch.autograd.grad(graph.terms[task], shared, retain_graph=True) for task in step.tasks]
        return torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in rows])


@dataclass
class Calls:
    """What a method asked of its step, in order."""

    names: list[str] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)  # losses of each forward
    weights: list[Tensor | None] = field(default_factory=list)  # of `backward` and `gradients`


class RecordedStep(BatchStep):
    """The real step, which remembers the calls."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.calls = Calls()

    def losses(
        self, tasks: Sequence[int] | None = None, *, grad: bool | Sequence[int] = True, **options: Any
    ) -> TaskLosses:
        found = super().losses(tasks, grad=grad, **options)
        self.calls.names.append("losses" if grad is not False else "losses without grad")
        self.calls.values.append(found.values)
        return found

    def backward(self, losses: TaskLosses, weights: Float[Tensor, "k"]) -> None:
        self.calls.names.append("backward")
        self.calls.weights.append(weights)
        super().backward(losses, weights)

    def gradients(
        self, losses: TaskLosses, at: Level = "shared", weights: Float[Tensor, "k"] | None = None, rows: bool = True
    ) -> TaskGradients:
        self.calls.names.append(f"gradients at {at}")
        self.calls.weights.append(weights)
        return super().gradients(losses, at, weights, rows)

    def apply(
        self,
        only: Literal["all", "shared"] = "all",
        rule: Literal["optimizer", "sgd"] = "optimizer",
        stale: Sequence[int] = (),
    ) -> None:
        self.calls.names.append("apply")
        super().apply(only, rule, stale)


def toy(
    optimizer: Literal["sgd", "adam"] = "sgd",
    dtype: torch.dtype = torch.float32,
    absent: int | None = None,
    task_norm: bool = False,
    convolution: bool = False,
    reduce: Reduce | None = None,
) -> Toy:
    """Four batches of 12 samples, always the same; task `absent` has no label in odd batches. Two are held out.

    The model is an MLP, or with `convolution` a LeNet of one on larger images.
    """
    draw = torch.Generator().manual_seed(0)
    tasks: dict[str, Task] = {"shape": Classification(4), "depth": Regression(2, "mse"), "colour": Classification(3)}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        outputs = {name: task.outputs for name, task in tasks.items()}
        model: MultiTaskModel = MLP(outputs, INPUT, (8,), task_norm=task_norm)
        if convolution:
            model = LeNet(outputs, INPUT_OF_CONVOLUTION, (8,), 8, task_norm=task_norm)
        model.to(dtype)
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    machine = Machine(
        model=model,
        tasks=tasks,
        optimizer=kind(model.parameters(), lr=0.1 if optimizer == "sgd" else 0.01, fused=True),
        generator=torch.Generator().manual_seed(2),
        device_generator=torch.Generator().manual_seed(3),
        device=CPU,
        reduce=reduce,
        held_out=lambda number: held_out[number % 2],
    )
    shape = INPUT_OF_CONVOLUTION if convolution else INPUT
    batches = [make_batch(draw, dtype, absent if batch % 2 else None, shape) for batch in range(4)]
    held_out = [make_batch(draw, dtype, None, shape) for _ in range(2)]
    shapes = {name: parameter.shape for name, parameter in machine.shared.items()}
    norms = {name: (machine.shared[name], norms) for name, norms in model.task_norms().items()}
    changes = {"shared": shapes, "last_shared": model.last_shared, "per_task_path": task_norm, "task_norms": norms}
    return Toy(machine, batches, context(tuple(tasks), **changes))


def make_batch(
    draw: torch.Generator, dtype: torch.dtype, absent: int | None, shape: tuple[int, int, int] = INPUT
) -> Batch:
    targets = {
        "shape": torch.randint(0, 4, (12,), generator=draw),
        "depth": torch.randn(12, 2, generator=draw).to(dtype),
        "colour": torch.randint(0, 3, (12,), generator=draw),
    }
    labelled = None
    if absent is not None:
        name = list(targets)[absent]
        targets[name] = torch.full_like(targets[name], torch.nan if name == "depth" else -1)
        labelled = np.ones((12, 3), dtype=bool)
        labelled[:, absent] = False
    return Batch(torch.rand((12, *shape), generator=draw).to(dtype), targets, labelled)


def gramian_of(rows: int, columns: int, seed: int) -> Float[Tensor, "k k"]:
    """A random Gramian; conflicts are common, ranks are full when `columns` allows it."""
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return matrix @ matrix.T
