"""Metrics of a split."""

import torch

from mtl_bench.data.split import Split
from mtl_bench.training.model_forward import ModelForward


@torch.no_grad()
def evaluate(forward: ModelForward, split: Split, batch_size: int) -> dict[str, dict[str, float]]:
    """Task → metric → value over the whole split, in evaluation mode.

    Totals accumulate on the device in float64; one copy to the host at the end. No random stream is touched.
    """
    model, tasks = forward.model, forward.tasks
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    totals = [torch.zeros(task.totals, dtype=torch.float64, device=device) for task in tasks.values()]
    for start in range(0, split.size, batch_size):
        batch = split.batch(torch.arange(start, min(start + batch_size, split.size)))
        for k, output in forward.predictions(batch):
            name = forward.names[k]
            totals[k] += tasks[name].measure(output, batch.targets[name])
    model.train(was_training)
    packed = torch.cat(totals).cpu().tolist()
    found = {}
    for name, task in tasks.items():
        found[name] = task.values(packed[: task.totals])
        packed = packed[task.totals :]
    return found
