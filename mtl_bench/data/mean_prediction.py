"""What a prediction that never looks at the image is worth."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.data.packed import Packed
from mtl_bench.data.split import Split
from mtl_bench.tasks import BinaryClassification, Task
from mtl_bench.tasks.binary import BinaryTask
from mtl_bench.tasks.dense_regression import DenseRegression

BATCH = 100  # samples that are looked at together


def mean_prediction(
    packed: Packed, name: str, task: Task, train: str = "train", test: str = "test"
) -> dict[str, float]:
    """Metrics on the split `test` of one output for every sample: the mean of the targets of `train`, per pixel.

    The mean is one of what a head gives: shares of classes, strengths of edges (then their log-odds), or values as
    `task` encodes them. `name` is the target field. A pixel that no training sample labels is predicted as 0.

    Raises BenchError for an unknown split or target.
    """
    total, count = torch.zeros(()), torch.zeros(())
    for target in _targets(packed, train, name):
        values = _as_output(task, target)
        total, count = total + values.nan_to_num().sum(dim=0), count + (~values.isnan()).sum(dim=0)
    mean = total / count.clamp(min=1)
    if isinstance(task, BinaryTask | BinaryClassification):
        mean = mean.clamp(1e-4, 1 - 1e-4).logit()  # finite where all training samples agree
    totals = torch.zeros(task.totals, dtype=torch.float64)
    for target in _targets(packed, test, name):
        totals += task.measure(mean.expand(len(target), *mean.shape), target)
    return task.values(totals.tolist())


def _targets(packed: Packed, split: str, name: str) -> Iterator[Shaped[Tensor, "batch *shape"]]:
    opened = Split(packed, [split], [name], "cpu")
    for part in torch.arange(opened.size).split(BATCH):
        yield opened.batch(part).targets[name]


def _as_output(task: Task, target: Shaped[Tensor, "batch *shape"]) -> Float[Tensor, "batch *outputs"]:
    """Targets in the form of the head's output, NaN where there is no label."""
    valid, numbers = task.valid(target), target.is_floating_point()
    if isinstance(task, BinaryClassification) or (isinstance(task, BinaryTask) and not numbers):
        return target.unsqueeze(1).float().where(valid.unsqueeze(1), torch.nan)
    if numbers:
        encoding = task.encoding if isinstance(task, DenseRegression) else None
        return (encoding.encode(target) if encoding else target).where(valid, torch.nan)
    shares = F.one_hot(target.clamp(min=0), task.outputs).movedim(-1, 1).float()
    return shares.where(valid.unsqueeze(1), torch.nan)
