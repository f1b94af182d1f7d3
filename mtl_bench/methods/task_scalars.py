"""Trainable scalars of a method."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError


class TaskScalars:
    """One trainable scalar per task under a small Adam of its own, outside the protocol's optimizer, schedule and clip.

    One tensor per task, not one of length K: Adam moves every entry of a tensor, so in one [K] tensor the scalar of a
    task that is absent from the batch would drift by momentum. A non-finite gradient moves nothing (decided on the
    device, through the fused optimizer's `found_inf`). After a step a scalar is held within ± `bound`, so that it does
    not wander off where its gradient has vanished.

    Raises BenchError for a learning rate that is negative or not finite.
    """

    def __init__(
        self,
        tasks: int,
        initial: float,
        lr: float,
        weight_decay: float,
        device: torch.device,
        bound: float | None = None,
    ) -> None:
        if not 0 <= lr < math.inf:
            raise BenchError(f"method.lr is finite and not negative, got {lr}.")
        self.bound = bound
        self.scalars = [torch.full((), float(initial), device=device, requires_grad=True) for _ in range(tasks)]
        self.optimizer = torch.optim.Adam(self.scalars, lr=lr, weight_decay=weight_decay, fused=True)

    def values(self, tasks: tuple[int, ...]) -> Float[Tensor, "k"]:
        return torch.stack([self.scalars[task].detach() for task in tasks])

    def descend(self, gradient: Float[Tensor, "k"], tasks: tuple[int, ...]) -> None:
        """One Adam step of the scalars of `tasks` along their gradients; the others stay as they are."""
        for task, value in zip(tasks, gradient.unbind(), strict=True):
            self.scalars[task].grad = value.to(self.scalars[task])
        self.optimizer.grad_scale = None  # type: ignore[attr-defined]
        self.optimizer.found_inf = (~gradient.isfinite().all()).float()  # type: ignore[attr-defined]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.bound is not None:
            for task in tasks:
                self.scalars[task].data.clamp_(-self.bound, self.bound)

    def state_dict(self) -> dict[str, Any]:
        return {"scalars": [scalar.detach() for scalar in self.scalars], "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for scalar, saved in zip(self.scalars, state["scalars"], strict=True):
            scalar.data.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
