"""Mean training loss of each task over an epoch."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

FOLD = 1024  # batches: a tensor of its own for each of very many would fill a GPU's memory


class EpochMeans:
    """Keeps the losses of every batch where they are, since on a GPU each further operation costs as much as one of
    the network's layers; they are copied to the host and summed, in order, when somebody asks.
    """

    def __init__(self, tasks: int) -> None:
        self._sums: Float[np.ndarray, "2 K"] = np.zeros((2, tasks))  # of finite losses, and how many they are
        self._folded: list[Float[Tensor, "batches K"]] = []
        self._kept: list[Float[Tensor, "K"]] = []

    def add(self, values: Float[Tensor, "K"]) -> None:
        """Losses of one batch; NaN for a task without a label or a loss that was not finite."""
        self._kept.append(values)
        if len(self._kept) == FOLD:
            self._fold()

    def close(self) -> Float[Tensor, "K"]:
        """Means on the host (NaN where nothing was seen); starts the next epoch."""
        total, count = self.state()
        self._sums = np.zeros_like(self._sums)
        return total / count

    def state(self) -> Float[Tensor, "2 K"]:
        """Sums and counts so far."""
        self._fold()
        if self._folded:
            losses = torch.cat(self._folded).cpu().double().numpy()
            finite = np.isfinite(losses)
            rows = np.stack([np.where(finite, losses, 0.0), finite.astype(np.float64)], axis=1)
            self._sums = np.cumsum(np.concatenate([self._sums[None], rows]), axis=0)[-1]  # batch by batch
            self._folded = []
        return torch.from_numpy(self._sums.copy())

    def load(self, state: Float[Tensor, "2 K"]) -> None:
        self._sums = state.cpu().numpy().copy()
        self._folded, self._kept = [], []

    def _fold(self) -> None:
        if self._kept:
            self._folded.append(torch.stack(self._kept))
            self._kept = []
