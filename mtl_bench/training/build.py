"""Configuration nodes become objects."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from mtl_bench.errors import BenchError, unforeseen
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.lazy import materialise
from mtl_bench.models.loaded import not_drawn
from mtl_bench.models.tensors import check_tensors
from mtl_bench.step.mover import needs_closure
from mtl_bench.tasks import Task
from mtl_bench.training.arguments import check_node
from mtl_bench.training.protocol import Reporting, Training

BASELINES = ("single_model", "single_training")  # of protocol.reporting
FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)  # Adagrad's form is fused on the CPU only
# Forms that somebody has chosen, and fused SGD starts a momentum at 0, which with dampening the plain form does not
NOT_FUSED = {"fused", "foreach", "differentiable", "dampening"}


def build(node: Mapping[str, Any], place: str, kind: type | None = None, **injected: Any) -> Any:
    """The object a `_target_` node describes; `place` names it in errors.

    Raises BenchError in one sentence: the object's own if it refused its arguments, else what went wrong and where.
    """
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise BenchError(f"{place} has no _target_: name the class to build, e.g. {place}._target_=my_file.MyClass.")
    check_node(node, place, injected)
    try:
        built = instantiate(OmegaConf.create(dict(node)), _convert_="all", **injected)
    except InstantiationException as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, BenchError):
            raise cause from error
        raise BenchError(f"{place} ({node['_target_']}) cannot be built: {unforeseen(cause)}.") from error
    if kind is not None and not isinstance(built, kind):
        raise BenchError(
            f"{place} ({node['_target_']}) is no {kind.__name__}; derive it from {kind.__module__}.{kind.__name__}."
        )
    return built


def build_model(node: Mapping[str, Any], outputs: Mapping[str, int], shape: Sequence[int]) -> MultiTaskModel:
    """Every parameter has its shape, those of lazy layers too. Raises what `build`, `materialise` and
    `check_tensors` do."""
    model: MultiTaskModel = build(node, "model", MultiTaskModel, outputs=dict(outputs), input_shape=list(shape))
    materialise(model, shape)
    check_tensors(model)
    return model


def kept_weights(node: Mapping[str, Any], outputs: Mapping[str, int], shape: Sequence[int]) -> dict[str, Tensor]:
    """What the model's constructor does not draw, loaded weights and constants, by name in its state."""
    return {} if draws_all(node) else not_drawn(lambda: build_model(node, outputs, shape))


def draws_all(node: Mapping[str, Any]) -> bool:
    """Without a look: our own models draw everything, unless they are asked for pretrained weights."""
    return is_ours(node) and not node.get("pretrained") and ("base" not in node or draws_all(node["base"]))


def is_ours(node: Mapping[str, Any]) -> bool:
    """Whether a model's constructor is ours, and that of the one that it is made of."""
    return str(node.get("_target_")).startswith("mtl_bench.") and ("base" not in node or is_ours(node["base"]))


def build_tasks(nodes: Mapping[str, Mapping[str, Any]], chosen: Iterable[str]) -> dict[str, Task]:
    return {name: build(nodes[name], f"tasks.{name}", Task) for name in chosen}


def build_reporting(node: Mapping[str, Any]) -> Reporting:
    """What baselines do otherwise are nodes that runs build themselves, not parts of this object."""
    rest = {name: value for name, value in node.items() if name not in BASELINES}
    reporting: Reporting = build(rest, "protocol.reporting", Reporting)
    return reporting


def choose_tasks(known: Iterable[str], only: list[str] | None) -> list[str]:
    """Tasks of this run in dataset order. Raises BenchError for an unknown or empty choice."""
    names = list(known)
    if only is None:
        return names
    if not isinstance(only, list):
        raise BenchError(f"only is a list of tasks, as in only=[{names[0]}]; got {only!r}.")
    unknown = [task for task in only if task not in names]
    if unknown or not only:
        raise BenchError(f"only={only} must name some of the tasks {', '.join(names)}; unknown: {unknown}.")
    return [task for task in names if task in only]


def build_optimizer(training: Training, model: MultiTaskModel) -> torch.optim.Optimizer:
    """The protocol's optimizer over shared parameters and heads, fused where torch has it.

    Fused kernels skip a non-finite step without the host reading anything, and are the fastest form. `fused=false` in
    the configuration is respected.
    """
    shared = list(model.shared_parameters().values())
    heads = [p for task in range(len(model.heads)) for p in model.task_parameters(task).values()]
    factory = training.optimizer
    target = getattr(factory, "func", factory)
    if "lr" not in (getattr(factory, "keywords", None) or {}):
        raise BenchError("protocol.training.optimizer needs an explicit lr, so that a record says what was used.")
    lr = factory.keywords["lr"]  # type: ignore[attr-defined]
    groups: list[dict[str, Any]] = [{"params": [*shared, *heads]}]
    if training.head_lr_factor != 1:  # one group where it can be: every group is a kernel launch of its own
        groups = [{"params": shared}, {"params": heads, "lr": lr * training.head_lr_factor}]
    fused = target in FUSED and not _chosen(target, factory.keywords) & NOT_FUSED  # type: ignore[attr-defined]
    make = partial(factory, fused=True) if fused else factory
    try:
        optimizer = make(groups)
    except (TypeError, ValueError, RuntimeError) as error:  # torch refuses a negative learning rate and the like
        raise BenchError(f"protocol.training.optimizer cannot be built: {error}.") from error
    if needs_closure(optimizer):
        raise BenchError(
            f"{type(optimizer).__name__} runs forwards within its step, which methods here do themselves; choose one "
            "that steps on given gradients, such as protocol.training.optimizer._target_=torch.optim.AdamW."
        )
    _check_step(make, [parameter for parameter in [*shared, *heads] if parameter.requires_grad])
    return optimizer


def _check_step(make: Callable[..., torch.optim.Optimizer], parameters: Sequence[nn.Parameter]) -> None:
    """One step of another such optimizer, on a small copy of the model's types and numbers of axes.

    Raises BenchError where it cannot step on given gradients: for want of sparse ones, of a closure, of another device.
    """
    kinds = {(one.dtype, one.device, one.ndim): one for one in parameters}.values()
    copies = [nn.Parameter(torch.zeros([min(2, n) for n in one.shape]).to(one)) for one in kinds]
    for copy in copies:
        copy.grad = torch.ones_like(copy)
    with torch.random.fork_rng(devices={one.device for one in copies if one.device.type == "cuda"}):
        try:
            make([{"params": copies}]).step()
        except Exception as error:  # its authors' assertions are of any kind
            raise BenchError(
                f"protocol.training.optimizer cannot step on the gradients of this model: {unforeseen(error)}; choose "
                "other arguments, or an optimizer that can, such as torch.optim.AdamW."
            ) from error


def _chosen(target: Callable[..., Any], keywords: Mapping[str, Any]) -> set[str]:
    """Arguments that differ from their defaults: one that repeats them makes no other run."""
    known = inspect.signature(target).parameters
    return {name for name, value in keywords.items() if name not in known or value != known[name].default}
