"""Mean training loss of each task over an epoch, kept on the device."""

import torch
from jaxtyping import Float
from torch import Tensor


class EpochMeans:
    """Sums of finite losses and how many batches they come from; one copy to the host when the epoch ends."""

    def __init__(self, tasks: int, device: torch.device) -> None:
        self.sums: Float[Tensor, "2 K"] = torch.zeros(2, tasks, dtype=torch.float64, device=device)

    def add(self, values: Float[Tensor, "K"]) -> None:
        """Losses of one batch; NaN for a task without a label or a loss that was not finite."""
        self.sums[0] += values.double().nan_to_num(0.0, 0.0, 0.0)
        self.sums[1] += values - values == 0  # finite

    def close(self) -> Float[Tensor, "K"]:
        """Means on the host (NaN where nothing was seen); starts the next epoch."""
        total, count = self.sums.cpu()
        means = total / count  # before the sums are cleared: on the CPU they are the same memory
        self.sums.zero_()
        return means
