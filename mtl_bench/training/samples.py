"""The first test samples of a finished run with their predictions, kept in its folder and shown to its logger."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtl_bench.data.packed import Field
from mtl_bench.data.split import Split
from mtl_bench.pictures import Dense, Kind, Pictures
from mtl_bench.pictures.colours import strips
from mtl_bench.records.atomic import write_atomic
from mtl_bench.tasks import Task
from mtl_bench.tasks.binary import BinaryTask
from mtl_bench.tasks.dense_regression import DenseRegression
from mtl_bench.training.loggers import Logger
from mtl_bench.training.model_forward import ModelForward

SIDE = 256  # pixels of the longer side at most; larger maps are thinned out
HALF = float(np.finfo(np.float16).max)
KINDS: dict[str, Kind] = {"depth": "depth", "normal": "normal"}


def keep_pictures(pictures: Pictures | None, path: Path, logger: Logger, batch: int) -> None:
    """Writes `path` and shows the logger; nothing without a dense task. Raises BenchError when the disk is full."""
    if pictures is None or not pictures.tasks:
        return
    write_atomic(path, pictures.to_bytes())
    logger.images(
        lambda: {f"predictions/{n}": strip for n, strip in enumerate(strips(pictures))},
        "input" + "".join(f" | {name}: target, prediction" for name in pictures.tasks),
        batch,
    )


@torch.no_grad()
def take_pictures(forward: ModelForward, split: Split, fields: Mapping[str, Field], count: int) -> Pictures:
    """The first `count` samples in evaluation mode; no random stream is touched. Tasks that are not dense are left out.

    As in an evaluation, autocast is off.
    """
    model, was_training = forward.model, forward.model.training
    model.eval()
    batch = split.batch(torch.arange(min(count, split.size)))
    shown: dict[str, Dense] = {}
    dense = [k for k, name in enumerate(forward.names) if batch.targets[name].ndim > 2]
    for k, output in forward.predictions(batch, dense):
        name = forward.names[k]
        if _is_dense(fields[name], batch.targets[name], output):
            shown[name] = _dense(forward.tasks[name], fields[name], batch.targets[name], output)
    model.train(was_training)
    return Pictures(_image(split, batch.image), shown)


def _is_dense(field: Field, target: Tensor, output: Tensor) -> bool:
    """A task may also hand a map to a head of vectors, or judge outputs of another kind than its target."""
    if field.encoding.categorical:
        return output.ndim == 4 and output.shape[2:] == target.shape[1:]
    return output.ndim == 4 and output.shape == target.shape


def _dense(task: Task, field: Field, target: Tensor, output: Tensor) -> Dense:
    """In the units of the target, whatever those of the head."""
    if field.encoding.categorical and not isinstance(task, BinaryTask):
        small = torch.int8 if output.shape[1] <= 128 else torch.int16
        return Dense("classes", "", _thin(target.to(small)), _thin(output.argmax(dim=1).to(small)))
    if field.encoding.categorical:
        target = target.unsqueeze(1).float()
    if isinstance(task, BinaryTask):
        target, output = target.where(task.valid(target), torch.nan), output.sigmoid()
    elif isinstance(task, DenseRegression):
        output = task.decoded(output)
    return Dense(KINDS.get(field.kind, "map"), field.unit, _thin(_half(target)), _thin(_half(output)))


def _half(values: Tensor) -> Tensor:
    return values.float().clamp(-HALF, HALF).half()


def _image(split: Split, image: Tensor) -> np.ndarray:
    """As it was before normalisation."""
    if split.normalise is not None:
        mean, std = split.normalise
        image = image * std + mean
    return _thin((255 * image.clamp(0, 1)).round().byte())


def _thin(values: Tensor) -> np.ndarray:
    step = -(-max(values.shape[-2:]) // SIDE)
    return values[..., ::step, ::step].cpu().numpy()
