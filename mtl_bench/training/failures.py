"""Steps that were not finite: counted on the device, read when the host has time."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def is_finite(values: Sequence[Tensor]) -> Bool[Tensor, ""]:
    """Whether every entry is finite: the sum is not if one is not (and large finite losses do not overflow it)."""
    return torch.stack([value.double().sum() for value in values]).sum().isfinite()


class FailureCount:
    """[all steps that were skipped, skipped steps in a row]."""

    def __init__(self, device: torch.device) -> None:
        self.totals: Float[Tensor, "2"] = torch.zeros(2, device=device)

    def add(self, finite: Bool[Tensor, ""]) -> None:
        bad = (~finite).float()
        self.totals = torch.stack([self.totals[0] + bad, (self.totals[1] + 1) * bad])
