"""A plan becomes a trainer: model, optimizer and data on the device, every random stream seeded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from mtl_bench.data.augmentation import Chain
from mtl_bench.data.fields import Field
from mtl_bench.data.order import Batches
from mtl_bench.data.residency import Residency
from mtl_bench.data.split import Batch, Split
from mtl_bench.methods.base import Method
from mtl_bench.methods.interface import Context
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.initialise import initialise
from mtl_bench.models.loaded import loaded
from mtl_bench.models.own_draws import as_constructed, constructed
from mtl_bench.records.history import History
from mtl_bench.streams import stream_seed
from mtl_bench.training.build import build, build_model, build_optimizer, is_ours, kept_weights
from mtl_bench.training.environment import choose_device, configure, describe_environment
from mtl_bench.training.evaluator import Evaluator
from mtl_bench.training.feed import Feed
from mtl_bench.training.loggers import Logger
from mtl_bench.training.machine import Machine
from mtl_bench.training.model_checks import check_last_batch, check_reach
from mtl_bench.training.model_forward import ModelForward
from mtl_bench.training.plan import Plan
from mtl_bench.training.protocol import Training
from mtl_bench.training.rehearsal import check_labels, check_model, check_state, check_targets, rehearse
from mtl_bench.training.setting import PLAIN
from mtl_bench.training.trainer import Options, RunFiles, Trainer

PRECISIONS = {"fp64": torch.float64, "fp32": torch.float32, "tf32": torch.float32, "bf16": torch.float32}


@dataclass(frozen=True)
class Place:
    """Where to run; nothing here enters the identity."""

    runs: Path
    device: str = "auto"
    threads: int = 1
    deterministic: bool = False
    residency: Residency = "auto"  # of the packed arrays
    resume: Literal["exact", "any"] = "exact"  # any: go on in another environment, and say so in the record


def assemble(plan: Plan, place: Place, options: Options, logger: Logger) -> Trainer:
    """Raises BenchError when the device is missing, a part cannot be built, or the method refuses the model."""
    training, seed = plan.training, plan.seed
    device = choose_device(place.device)
    configure(device, place.threads, training.precision, place.deterministic)
    method: Method = build(PLAIN if plan.single else plan.setting.method, "method", Method)
    model, brought = _model(plan, device)
    splits = _splits(plan, device, place.residency)
    check_targets(plan.packed, plan.tasks)
    check_labels(splits, plan.tasks)
    rehearse(ModelForward(model, plan.tasks), splits["train"])
    if any(split.size % plan.reporting.evaluation_batch_size == 1 for split in splits.values()):
        rehearse(ModelForward(model, plan.tasks), splits["train"], samples=1)  # the last batch of an evaluation
    batches = Batches(splits["train"], training.batch_size, training.drop_last, seed)
    fields = {name: plan.packed.manifest.fields[name] for name in ("image", *plan.tasks)}
    chain = Chain(training.augmentation, fields, seed, device)
    torch.manual_seed(stream_seed("dropout", seed))
    machine = Machine(
        model=model,
        tasks=plan.tasks,
        optimizer=build_optimizer(training, model),
        generator=torch.Generator().manual_seed(stream_seed("method", seed)),
        device_generator=torch.Generator(device).manual_seed(stream_seed("method on the device", seed)),
        device=device,
        clip_norm=training.clip_norm,
        bn_updates=training.bn_updates,
        autocast=torch.bfloat16 if training.precision == "bf16" else None,
        held_out=_held_out(plan, splits, fields, device),
    )
    check_last_batch(machine.forward, batches, splits["train"], method.parts)
    check_reach(machine.forward, machine.mover.ownership, splits["train"])
    method.setup(context_of(machine, training, batches.per_epoch))
    check_state(method)
    folder, packed = plan.folder(place.runs), plan.packed.manifest
    environment = describe_environment(
        device, place.threads, training.precision, machine.mover.optimizer, packed.bytes_digest
    )
    if brought:
        environment["loaded"] = brought
    return Trainer(
        name=f"{plan.names.experiment} · {plan.method} · seed {seed}",
        machine=machine,
        method=method,
        feed=Feed(splits["train"], batches, chain, plan.tasks),
        evaluator=Evaluator(machine.forward, splits, plan.reporting),
        training=training,
        files=RunFiles(folder.checkpoint, History(folder.history), environment, plan.readings),
        logger=logger,
        options=options,
    )


def _model(plan: Plan, device: torch.device) -> tuple[MultiTaskModel, list[str]]:
    """The model as it starts, and the names of what its constructor has loaded."""
    node = plan.setting.single_model if plan.single else plan.setting.model
    outputs = {name: task.outputs for name, task in plan.tasks.items()}
    shape = plan.dataset.image_shape
    constructor = partial(build_model, node, outputs, shape)
    own_stream = stream_seed("constructor", plan.seed)
    model = constructed(constructor, own_stream)
    check_model(model, plan.tasks)
    kept = kept_weights(node, outputs, shape)
    start = kept if is_ours(node) else as_constructed(constructor, model, own_stream, kept)
    initialise(model, plan.seed, start)  # on the CPU: other devices draw other numbers
    return model.to(device, PRECISIONS[plan.training.precision]), sorted(loaded(kept))


def _splits(plan: Plan, device: torch.device, residency: Residency) -> dict[str, Split]:
    parts = {"train": ["train"], "val": ["val"], "test": ["test"]}
    if plan.training.val == "none":
        parts = {"train": ["train", "val"], "test": ["test"]}
    stored = plan.packed.manifest.splits
    parts |= {name: [name] for name in stored if name.startswith("test_")}
    present = {name: [part for part in chosen if stored.get(part)] for name, chosen in parts.items()}
    normalise = plan.training.normalise
    statistics = None if normalise is None else (normalise["mean"], normalise["std"])
    tasks = list(plan.tasks)
    return {name: Split(plan.packed, p, tasks, device, statistics, residency) for name, p in present.items() if p}


def _held_out(
    plan: Plan, splits: Mapping[str, Split], fields: Mapping[str, Field], device: torch.device
) -> Callable[[int], Batch] | None:
    """The batch of the validation split that belongs to the n-th batch of training, as large as that where it can be.

    A pure function of n: a checkpoint, which counts batches, holds its position too. None: there is no such split.
    """
    if "val" not in splits:
        return None
    val = splits["val"]
    batches = Batches(val, min(plan.training.batch_size, val.size), True, plan.seed, stream="order of held-out samples")
    feed = Feed(val, batches, Chain((), fields, plan.seed, device), plan.tasks)
    return lambda number: feed.batch(*divmod(number, feed.per_epoch))


def context_of(machine: Machine, training: Training, steps_per_epoch: int) -> Context:
    """What a method is told before the first batch; the weights of losses mean nothing with one task."""
    return Context(
        tasks=tuple(machine.tasks),
        likelihoods=tuple(task.likelihood for task in machine.tasks.values()),
        static_weights=training.weights_of(machine.tasks) if len(machine.tasks) > 1 else {},
        epochs=training.budget.epochs(steps_per_epoch),
        steps_per_epoch=steps_per_epoch,
        device=machine.device,
        per_task_path=machine.model.per_task_path,
        last_shared=machine.last_shared,
        shared={name: parameter.shape for name, parameter in machine.shared.items()},
        task_norms={
            name: (machine.shared[name], norms)
            for name, norms in machine.model.task_norms().items()
            if name in machine.shared  # not frozen
        },
        frozen=not machine.shared,
        held_out=machine.held_out is not None,
        normalised_decay=machine.mover.normalised_decay,
    )
