"""Metrics of a split."""

from collections.abc import Mapping

import torch

from mtl_bench.data.split import Split
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.tasks import Task


@torch.no_grad()
def evaluate(
    model: MultiTaskModel, tasks: Mapping[str, Task], split: Split, batch_size: int
) -> dict[str, dict[str, float]]:
    """Task → metric → value over the whole split, in evaluation mode.

    Totals accumulate on the device in float64; one copy to the host at the end. No random stream is touched.
    """
    was_training = model.training
    model.eval()
    dtype = next(model.parameters()).dtype
    device = next(model.parameters()).device
    totals = [torch.zeros(task.totals, dtype=torch.float64, device=device) for task in tasks.values()]
    for start in range(0, split.size, batch_size):
        batch = split.batch(torch.arange(start, min(start + batch_size, split.size)))
        features = None
        for k, (name, task) in enumerate(tasks.items()):
            if features is None or model.per_task_path:
                features = model.encode(batch.image.to(dtype), k if model.per_task_path else None)
            totals[k] += task.measure(model.decode(features, k), batch.targets[name])
    model.train(was_training)
    packed = torch.cat(totals).cpu().tolist()
    found = {}
    for name, task in tasks.items():
        found[name] = task.values(packed[: task.totals])
        packed = packed[task.totals :]
    return found
