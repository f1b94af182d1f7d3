"""Numbers per task on the device: losses under a logarithm, and entries that change."""

import torch
from jaxtyping import Float
from torch import Tensor


def positive(values: Float[Tensor, "k"]) -> Float[Tensor, "k"]:
    """Losses that a logarithm or an inverse is taken of, in fp32 at least.

    1e-8 keeps a loss of 0 finite; a negative one becomes NaN, so that the step is skipped and counted.
    """
    above = values.to(torch.promote_types(values.dtype, torch.float32)) + 1e-8
    return torch.where(above > 0, above, torch.nan)


def not_negative(values: Float[Tensor, "k"]) -> Float[Tensor, "k"]:
    """Losses as a scale: a negative one becomes NaN, so that the step is skipped and counted."""
    return torch.where(values < 0, torch.nan, values)


def placed(vector: Float[Tensor, "K"], values: Float[Tensor, "k"], tasks: tuple[int, ...]) -> Float[Tensor, "K"]:
    """A new vector, with the entries of `tasks` replaced, without an index tensor that would travel to the device."""
    if len(tasks) == len(vector):
        return values.to(vector)
    entries = list(vector.unbind())
    for task, value in zip(tasks, values.to(vector).unbind(), strict=True):
        entries[task] = value
    return torch.stack(entries)
