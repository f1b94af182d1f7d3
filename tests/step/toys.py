"""Small models, batches and machines on which the step is checked against plain autograd."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtl_bench.data.split import Batch
from mtl_bench.methods.interface import Context
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.batch_step import BatchStep
from mtl_bench.step.snapshot import global_random_state, set_global_random_state
from mtl_bench.tasks import Classification, Regression, Task
from mtl_bench.training.machine import Machine

SIDE = 6
TASKS: dict[str, Task] = {"shape": Classification(3), "pose": Regression(2, "mse"), "colour": Classification(4)}


class OneTensor(MultiTaskModel):
    """One shared tensor behind a norm and dropout; every head has dropout of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(64, 7)
        self.heads = nn.ModuleDict(
            {name: nn.Sequential(nn.Dropout(0.3), nn.Linear(7, task.outputs)) for name, task in TASKS.items()}
        )

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        hidden = nn.functional.dropout(self.norm(self.conv(image)).relu(), 0.4, self.training)
        return [self.linear(hidden.flatten(1)).tanh()]


class TaskNorms(MultiTaskModel):
    """A path per task: shared weights, norms (with their own affine parameters) per task."""

    per_task_path = True

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in TASKS)
        self.linear = nn.Linear(64, 7)
        self.heads = nn.ModuleDict({name: nn.Linear(7, task.outputs) for name, task in TASKS.items()})

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        assert task is not None
        hidden = nn.functional.dropout(self.norms[task](self.conv(image)).relu(), 0.4, self.training)
        return [self.linear(hidden.flatten(1)).tanh()]

    def shared_parameters(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in super().shared_parameters().items() if not name.startswith("norms.")}

    def task_parameters(self, task: int) -> dict[str, nn.Parameter]:
        norm = {f"norms.{task}.{name}": p for name, p in self.norms[task].named_parameters()}
        return norm | super().task_parameters(task)

    def task_norms(self) -> dict[str, tuple[nn.Module, ...]]:  # type: ignore[override]
        return {"conv.weight": tuple(self.norms)}


class Attention(MultiTaskModel):
    """Two shared tensors, the second computed from the first; the first task reads only the first."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(SIDE * SIDE, 8)
        self.second = nn.Linear(8, 5)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(8 if name == "shape" else 13, task.outputs) for name, task in TASKS.items()}
        )

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        first = self.first(image.flatten(1)).tanh()
        return [first, self.second(first * first.softmax(dim=1)).tanh()]

    def decode(self, features: list[Tensor], task: int) -> Tensor:
        return self.heads[self.tasks[task]](features[0] if task == 0 else torch.cat(features, dim=1))


class Initial(MultiTaskModel):
    """Initial predictions of all tasks feed the final heads; what makes them is shared, and so lives in `encode`."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(SIDE * SIDE, 8)
        self.initial = nn.ModuleList(nn.Linear(8, task.outputs) for task in TASKS.values())
        self.heads = nn.ModuleDict({name: nn.Linear(17, task.outputs) for name, task in TASKS.items()})

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        trunk = self.trunk(image.flatten(1)).tanh()
        return [trunk, *(initial(trunk) for initial in self.initial)]

    def decode(self, features: list[Tensor], task: int) -> Tensor:
        return self.heads[self.tasks[task]](torch.cat(features, dim=1))


SHARED_PATH: list[type[MultiTaskModel]] = [OneTensor, Attention, Initial]
ONE_END: list[type[MultiTaskModel]] = [OneTensor, Initial]  # every loss reaches their last shared layer
MODELS: list[type[MultiTaskModel]] = [*SHARED_PATH, TaskNorms]
Factory = Callable[..., torch.optim.Optimizer]


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.01, fused=True)


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, fused=True)


def make_machine(
    model: Callable[[], MultiTaskModel] = OneTensor,
    optimizer: Factory = adam,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
    **options: Any,
) -> Machine:
    """Equal arguments, equal parameters and random streams."""
    torch.manual_seed(0)
    built = model().to(device, dtype)
    shared = list(built.shared_parameters().values())
    heads = [p for task in range(len(TASKS)) for p in built.task_parameters(task).values()]
    torch.manual_seed(1)  # of dropout
    return Machine(
        model=built,
        tasks=TASKS,
        optimizer=optimizer([{"params": shared}, {"params": heads}]),
        generator=torch.Generator().manual_seed(2),
        device_generator=torch.Generator(device).manual_seed(3),
        device=torch.device(device),
        **options,
    )


def make_context(machine: Machine) -> Context:
    return Context(
        tasks=tuple(machine.names),
        likelihoods=tuple(task.likelihood for task in machine.tasks.values()),
        static_weights={},
        epochs=2,
        steps_per_epoch=3,
        device=machine.device,
        per_task_path=machine.model.per_task_path,
        last_shared=machine.model.last_shared,
        shared={name: p.shape for name, p in machine.shared.items()},
        task_norms={name: (machine.shared[name], norms) for name, norms in machine.model.task_norms().items()},
        held_out=machine.held_out is not None,
    )


def make_batch(seed: int = 0, size: int = 12, unlabelled: Sequence[str] = (), device: str = "cpu") -> Batch:
    """`unlabelled` tasks have no label at all in this batch."""
    draw = torch.Generator().manual_seed(seed)
    targets: dict[str, Tensor] = {}
    for name, task in TASKS.items():
        if isinstance(task, Classification):
            targets[name] = torch.randint(task.outputs, (size,), generator=draw)
        else:
            targets[name] = torch.randn(size, task.outputs, generator=draw)
    image = torch.randn(size, 1, SIDE, SIDE, generator=draw)
    for name in unlabelled:
        targets[name] = torch.full_like(targets[name], -1 if isinstance(TASKS[name], Classification) else torch.nan)
    labelled = np.tile([name not in unlabelled for name in TASKS], (size, 1))
    here = {name: target.to(device) for name, target in targets.items()}
    return Batch(image.to(device), here, labelled if unlabelled else None)


def mask_labels(batch: Batch, labelled: np.ndarray) -> Batch:
    """The batch with only the labels of `labelled` [batch, tasks]."""
    targets = {}
    for column, (name, target) in enumerate(batch.targets.items()):
        missing = -1 if isinstance(TASKS[name], Classification) else torch.nan
        targets[name] = target.clone()
        targets[name][torch.from_numpy(~labelled[:, column])] = missing
    return Batch(batch.image, targets, labelled)


def make_step(machine: Machine, batch: Batch | None = None) -> BatchStep:
    return machine.step(make_batch() if batch is None else batch)


def autograd_rows(machine: Machine, batch: Batch, tasks: Sequence[int] = (0, 1, 2)) -> list[dict[str, Tensor]]:
    """Gradients of each task's loss by one full backward each, without taps; {} entries are parameters not reached.

    Draws the dropout masks of the next forward without using them up, and leaves the model as it was.
    """
    model, random = machine.model, global_random_state(machine.device)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    image = batch.image.to(machine.dtype)
    parameters = dict(model.named_parameters())
    rows, features = [], None
    for task in tasks:
        if features is None or model.per_task_path:
            features = model.encode(image, task if model.per_task_path else None)
        name = list(TASKS)[task]
        total, count = TASKS[name].loss(model.decode(features, task), batch.targets[name])
        found = torch.autograd.grad(total / count, list(parameters.values()), retain_graph=True, allow_unused=True)
        rows.append({name: g for name, g in zip(parameters, found, strict=True) if g is not None})
    set_global_random_state(machine.device, random)
    for name, buffer in model.named_buffers():
        buffer.copy_(buffers[name])
    for layer in machine.mover.norms.layers:
        layer.track_running_stats = True
    return rows


def weighted(rows: Sequence[Mapping[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
    """Σ w_i g_i over the parameters that some row reaches."""
    total: dict[str, Tensor] = {}
    for row, weight in zip(rows, weights, strict=True):
        for name, gradient in row.items():
            total[name] = total[name] + weight * gradient if name in total else weight * gradient
    return total


def gradients_of(machine: Machine) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in machine.model.named_parameters() if p.grad is not None}


def everything(machine: Machine) -> dict[str, Any]:
    """Copies of all that a step may move: model, optimizer, random streams, norm flags."""
    optimizer = machine.mover.optimizer.state_dict()
    found: dict[str, Any] = {f"model.{name}": value.clone() for name, value in machine.model.state_dict().items()}
    for index, state in optimizer["state"].items():
        found |= {f"state.{index}.{key}": _copy(value) for key, value in state.items()}
    for index, group in enumerate(optimizer["param_groups"]):
        found |= {f"group.{index}.{key}": _copy(value) for key, value in group.items()}
    found["random"] = global_random_state(machine.device)
    found["generator"] = machine.mover.generator.get_state()
    found["device_generator"] = machine.mover.device_generator.get_state()
    found["norms"] = machine.mover.norms.flags()
    return found


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def differing(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    """Names whose values are not bit-identical (dtype included), one side may lack them."""
    return sorted(name for name in left.keys() | right.keys() if not _same(left.get(name), right.get(name)))


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return left.dtype == right.dtype and torch.equal(left, right)
    return type(left) is type(right) and bool(left == right)
