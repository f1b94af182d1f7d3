"""In which units a head learns a physical target: packed data stay as measured, a configuration chooses."""

import math
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError


class HeadUnits(ABC):
    """A map from physical units to those of the head's output, and back. NaN stays NaN; nothing becomes infinite."""

    revision: ClassVar[int] = 1

    @abstractmethod
    def encode(self, target: Float[Tensor, "batch channels height width"]) -> Tensor:
        """Targets, for the loss."""

    @abstractmethod
    def decode(self, output: Float[Tensor, "batch channels height width"]) -> Tensor:
        """Predictions, for the metrics; the inverse of `encode` on what it leaves unclipped."""


class Affine(HeadUnits):
    """(x - shift) / scale, with one number for all channels or a list of one per channel.

    `clip` = [low, high] in physical units: values outside count as its ends, on the way in and on the way out.
    Metrics still compare with the unclipped target.

    Raises BenchError for a scale that is not above 0, and for a `clip` that is no interval.
    """

    def __init__(
        self,
        shift: float | list[float] = 0.0,
        scale: float | list[float] = 1.0,
        clip: list[float] | None = None,
    ) -> None:
        if not all(0 < value < math.inf for value in _numbers(scale)):
            raise BenchError(f"The scale of an encoding is above 0 and finite, got {scale}.")
        if clip is not None and (len(clip) != 2 or not clip[0] < clip[1]):
            raise BenchError(f"The clip of an encoding is [low, high] with low below high, got {clip}.")
        self.shift = shift
        self.scale = scale
        self.clip = clip

    def encode(self, target: Float[Tensor, "batch channels height width"]) -> Tensor:
        return (self._clipped(target) - _like(target, self.shift)) / _like(target, self.scale)

    def decode(self, output: Float[Tensor, "batch channels height width"]) -> Tensor:
        return self._clipped(output * _like(output, self.scale) + _like(output, self.shift))

    def _clipped(self, values: Tensor) -> Tensor:
        return values if self.clip is None else values.clamp(*self.clip)


class Log(HeadUnits):
    """log(1 + x) / log(1 + top): [0, top] to [0, 1], so that an error far away weighs less than the same error nearby.

    The form of sel-update-mtl for Taskonomy's depth (there of the stored integers, 512 per metre, with top = 65535).
    Values outside [0, top] count as its ends, on the way in and on the way out, where an exponential would turn a
    slightly wrong output into a huge one. Metrics still compare with the unclipped target.

    Raises BenchError for a `top` that is not above 0.
    """

    def __init__(self, top: float) -> None:
        if not 0 < top < math.inf:
            raise BenchError(f"The top of a log encoding is above 0 and finite, got {top}.")
        self.top = top
        self.span = math.log1p(top)

    def encode(self, target: Float[Tensor, "batch channels height width"]) -> Tensor:
        return target.clamp(0, self.top).log1p() / self.span

    def decode(self, output: Float[Tensor, "batch channels height width"]) -> Tensor:
        return (output.clamp(0, 1) * self.span).expm1()


def _numbers(values: float | list[float]) -> list[float]:
    return values if isinstance(values, list) else [values]


def _like(tensor: Tensor, values: float | list[float]) -> Tensor | float:
    return _column(tuple(values), tensor.dtype, tensor.device) if isinstance(values, list) else values


@lru_cache
def _column(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Float[Tensor, "1 channels 1 1"]:
    """Kept, because making it copies from the host, which waits for the device."""
    return torch.tensor(values, dtype=dtype, device=device).view(1, -1, 1, 1)
