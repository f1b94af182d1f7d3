"""Reads numbers off the device without making it wait."""

import torch
from jaxtyping import Float
from torch import Tensor


class Monitor:
    """`push` starts a copy to the host if none is under way; `latest` returns the newest copy that has arrived."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._host: Tensor | None = None
        self._event: torch.cuda.Event | None = None
        self._batch = 0
        self._latest: tuple[int, list[float]] | None = None

    def push(self, batch: int, *values: Float[Tensor, "n"]) -> None:
        if self._host is not None and not self._arrived():
            return
        self._collect()
        self._batch = batch
        joined = torch.cat([value.float() for value in values])
        if self._cuda:
            self._host = torch.empty(joined.shape, pin_memory=True)
            self._host.copy_(joined, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._host = joined

    def latest(self) -> tuple[int, list[float]] | None:
        """(batch, values), some steps old on a GPU; None before the first copy has arrived."""
        if self._host is not None and self._arrived():
            self._collect()
        return self._latest

    def _arrived(self) -> bool:
        return self._event is None or self._event.query()

    def _collect(self) -> None:
        if self._host is not None:
            self._latest = (self._batch, self._host.tolist())
            self._host = self._event = None
