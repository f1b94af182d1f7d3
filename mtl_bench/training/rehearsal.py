"""A few samples go through model and tasks once, so that parts which do not fit are named before training starts."""

import io
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from mtl_bench.data.encoding import Classes
from mtl_bench.data.label_facts import label_facts
from mtl_bench.data.packed import Packed
from mtl_bench.data.split import Batch, Split
from mtl_bench.errors import BenchError, unforeseen
from mtl_bench.methods.base import Method
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.tasks import BinaryClassification, Task
from mtl_bench.tasks.binary import BinaryTask
from mtl_bench.training.model_checks import SAMPLES, untouched
from mtl_bench.training.model_forward import ModelForward

LOOK = 16  # samples looked at for labels at a time


def check_model(model: MultiTaskModel, tasks: Mapping[str, Task]) -> None:
    """Raises BenchError when heads and tasks differ, or nothing is shared."""
    name, found = type(model).__name__, list(getattr(model, "heads", ()))
    if found != list(tasks):
        raise BenchError(
            f"Model {name} has heads for {', '.join(found) or 'no task'}, but the tasks are {', '.join(tasks)}; fill "
            "`heads` with one per name in `outputs`, in that order."
        )
    if not model.shared_parameters():
        raise BenchError(
            f"Model {name} shares no parameter between its tasks, so there is nothing to compare methods on."
        )


def check_targets(packed: Packed, tasks: Mapping[str, Task]) -> None:
    """Raises BenchError for a stored class that a task does not know: on a GPU it would end the whole process. Of a
    number that is to be a yes or no likewise: its loss and its metrics would be of nothing.
    """
    for split in packed.manifest.splits:
        for name, task in tasks.items():
            encoding = packed.manifest.fields[name].encoding
            asked = isinstance(encoding, Classes) or isinstance(task, BinaryTask | BinaryClassification)
            if task.likelihood != "classification" or not asked:
                continue
            low, high = label_facts(packed, split, name).span
            if high > task.labels - 1 or -1 != low < 0:
                key = "ignore" if isinstance(encoding, Classes) else "invalid"
                raise BenchError(
                    f"Task {name} has {task.labels} classes, but split `{split}` holds labels from {low:g} to "
                    f"{high:g}; classes count from 0, and -1 is no label: mend the data or tasks.{name}, or let the "
                    f"field's encoding `{key}` other numbers that mean none."
                )


def check_state(method: Method) -> None:
    """Raises BenchError when a checkpoint could not keep what the method remembers, long before one is needed."""
    name, buffer = type(method).__name__, io.BytesIO()
    try:
        torch.save(method.state_dict(), buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except Exception as error:  # pickling runs code of the user's
        raise BenchError(
            f"The `state` of method {name} does not survive a checkpoint; name attributes that hold tensors, numbers, "
            f"text, or lists and dicts of them ({_last_line(error)})."
        ) from error


def _last_line(error: Exception) -> str:
    """torch.load explains at length; the line with the culprit names a global."""
    lines = str(error).splitlines() or [type(error).__name__]
    return next((line.strip() for line in lines if "GLOBAL" in line), lines[0])[:160]


class Needed(NamedTuple):
    """Something of which a split holds at least one in the targets of a task, and what to do where it has none."""

    task: str
    what: str
    among: Callable[[Tensor], Tensor]
    otherwise: str


def check_labels(splits: Mapping[str, Split], tasks: Mapping[str, Task]) -> None:
    """Raises BenchError for a split without a single label of a task, which has no metric or is not trained, and for an
    evaluated one of one class alone where an area under the ROC curve is asked for: a NaN, though the run went well.
    """
    for name, split in splits.items():
        missing = _needed(tasks, evaluated=name != "train")
        for start in range(0, split.size, LOOK):  # mostly the first look is the last
            targets = split.batch(torch.arange(start, min(start + LOOK, split.size))).targets
            missing = [one for one in missing if not bool(one.among(targets[one.task]).any())]
            if not missing:
                break
        if missing:
            task, what, _, otherwise = missing[0]
            raise BenchError(f"Split `{name}` has no {what} of task {task}; mend the data, or {otherwise}.")


def _needed(tasks: Mapping[str, Task], evaluated: bool) -> list[Needed]:
    needed = [Needed(name, "label", task.labelled, "leave the task out with only=[…]") for name, task in tasks.items()]
    for name, task in tasks.items():
        if evaluated and isinstance(task, BinaryClassification) and task.auc:
            otherwise = f"do without the area under the ROC curve, which needs both, with tasks.{name}.auc=false"
            needed.append(Needed(name, "negative label", task.negative, otherwise))
            needed.append(Needed(name, "positive label", task.positive, otherwise))
    return needed


@torch.no_grad()
def rehearse(forward: ModelForward, split: Split, samples: int | None = None) -> None:
    """In evaluation mode and without a trace: buffers and random streams are as before. Not with as many samples as a
    task has outputs, where these are left to choose: one axis would pass for the other.

    Raises BenchError naming the part and the shapes when encoder, heads, losses or metrics do not fit each other.
    """
    if samples is None:
        outputs = {task.outputs for task in forward.tasks.values()}
        samples = next(count for count in itertools.count(SAMPLES) if count not in outputs)
    batch = split.batch(torch.arange(min(samples, split.size)))
    with untouched(forward.model, training=False):
        for k in range(len(forward.names)):
            _rehearse_task(forward, k, batch)


def _rehearse_task(forward: ModelForward, k: int, batch: Batch) -> None:
    name, image = forward.names[k], batch.image
    kind, target, task = type(forward.model).__name__, batch.targets[name], forward.tasks[name]
    with _named(f"Model {kind} cannot encode images of shape {list(batch.image.shape[1:])}"):
        features = forward.encode(image, k)
    if not isinstance(features, list) or not all(_is_tensor(part, batch.size) for part in features):
        raise BenchError(f"`encode` of model {kind} must return a list of tensors, each with the batch as first axis.")
    with _named(f"Model {kind} cannot decode task {name}"):
        output = forward.decode(features, k)[0]
    if not _is_tensor(output, batch.size) or output.ndim < 2 or output.shape[1] != task.outputs:
        shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise BenchError(f"Model {kind} gives {shape} for task {name}, expected [{batch.size}, {task.outputs}, …].")
    if output.ndim == 2 and target.ndim > 2 and target.shape[-2:] == image.shape[-2:]:
        raise BenchError(
            f"Model {kind} gives {list(output.shape)} for task {name}, whose target is a map of "
            f"{target.shape[-2]}×{target.shape[-1]} pixels; choose a model for dense prediction, see "
            "`mtl-bench list model`."
        )
    with _named(f"The loss of task {name} failed on output {list(output.shape)} and target {list(target.shape)}"):
        loss = task.loss(output, target)
    if not isinstance(loss, tuple) or [part.ndim for part in loss if isinstance(part, Tensor)] != [0, 0]:
        raise BenchError(f"The loss of task {name} must return two tensors without axes: the sum and what divides it.")
    with _named(f"The metrics of task {name} failed on output {list(output.shape)} and target {list(target.shape)}"):
        totals = task.measure(output, target)
    if list(totals.shape) != [task.totals]:
        raise BenchError(f"`measure` of task {name} must return {task.totals} totals, got shape {list(totals.shape)}.")
    if not bool(task.labelled(target).any()):
        return  # no metric exists of a few samples without a label
    with _named(f"The metrics of task {name} cannot be computed from their totals"):
        try:
            values = task.values(totals.tolist())
        except (BenchError, ZeroDivisionError):  # few samples may be too few for a metric
            return
    if values.keys() != {metric.name for metric in task.metrics}:
        said, expected = ", ".join(values), ", ".join(metric.name for metric in task.metrics)
        raise BenchError(f"`values` of task {name} gives {said or 'nothing'}, but its metrics are {expected}.")


def _is_tensor(value: object, size: int) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0 and len(value) == size


@contextmanager
def _named(what: str) -> Iterator[None]:
    """The user's code may raise anything here."""
    try:
        yield
    except BenchError:
        raise
    except Exception as error:
        raise BenchError(f"{what}: {unforeseen(error)}.") from error
