"""Steps that were not finite: counted on the device, read when the host has time."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def is_finite(values: Sequence[Tensor]) -> Bool[Tensor, ""]:
    """Whether every entry is finite: the sum is not if one is not (and large finite losses do not overflow it)."""
    total = torch.cat([value.reshape(-1) for value in values]).double().sum()
    return total - total == 0  # what `isfinite` says, in two kernels instead of five


class FailureCount:
    """[all steps that were skipped, skipped steps in a row]."""

    def __init__(self, device: torch.device) -> None:
        self.totals: Float[Tensor, "2"] = torch.zeros(2, device=device)
        self._ever = torch.tensor([1.0, 0.0], device=device)

    def add(self, finite: Bool[Tensor, ""]) -> None:
        self.totals = torch.where(finite, self.totals * self._ever, self.totals + 1)
