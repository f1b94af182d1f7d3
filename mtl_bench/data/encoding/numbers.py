"""Stored measurements: linear, logarithmic, and the bytes of normal maps."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float32, Shaped
from torch import Tensor

from mtl_bench.data.encoding.base import Encoding
from mtl_bench.errors import BenchError

LAST = 65535  # of 16 bits


@dataclass(frozen=True)
class Numbers(Encoding):
    """(stored - offset) / scale; NaN is no label, nor is the stored number `invalid`.

    Cityscapes' disparity, (p - 1) / 256 pixels with 0 for none, has scale 256, offset 1 and invalid 0; Taskonomy's
    depth, v / 512 metres with 65535 for none, has scale 512 and invalid 65535. An encoding that names its `dtype` keeps
    what it encodes inside that type: values beyond become the last number there that is a label.

    Raises BenchError for a scale that is not above 0.
    """

    name: ClassVar[str] = "number"
    scale: float = 1.0
    offset: float = 0.0
    invalid: float | None = None
    dtype: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.scale < math.inf:
            raise BenchError(f"The scale of an encoding is above 0 and finite, got {self.scale}.")

    @property
    def blank(self) -> float:
        return math.nan if self.invalid is None else self.invalid

    def decode(self, stored: Shaped[Tensor, "samples *shape"]) -> Float32[Tensor, "samples *shape"]:
        values = stored.float() if stored.is_floating_point() or (self.scale, self.offset) == (1, 0) else stored
        if self.offset:
            values = values - float(self.offset)  # a float: bytes would wrap around
        if self.scale != 1:
            values = values / self.scale
        if self.invalid is None:
            return values
        if stored.dtype == torch.int8 and self.invalid == -128:  # below all others: half the time of a mask
            return torch.threshold_(values, (-127.5 - self.offset) / self.scale, torch.nan)
        return values.masked_fill(stored == self.invalid, torch.nan)

    def labelled(self, stored: Shaped[np.ndarray, "samples *shape"]) -> Bool[np.ndarray, "samples *shape"]:
        known = ~np.isnan(stored) if stored.dtype.kind == "f" else np.ones(stored.shape, bool)
        return known if self.invalid is None else known & (stored != self.invalid)

    def foreign(self, stored: Shaped[np.ndarray, "samples *shape"]) -> float | None:
        """Infinity, unless it is `invalid`: one such label makes a loss infinite."""
        if stored.dtype.kind != "f":
            return None
        odd = stored[np.isinf(stored) & self.labelled(stored)]
        return float(odd[0]) if odd.size else None

    def encode(self, values: Shaped[Tensor, "samples *shape"]) -> Shaped[Tensor, "samples *shape"]:
        if (self.scale, self.offset) != (1, 0):
            values = (values * self.scale + self.offset).round()
        if np.dtype(self.dtype or float).kind in "iu":
            ends = np.iinfo(self.dtype)
            values = values.clamp(ends.min + (ends.min == self.invalid), ends.max - (ends.max == self.invalid))
        return values if self.invalid is None else values.nan_to_num(nan=self.invalid)


@dataclass(frozen=True)
class Logarithm(Encoding):
    """Distances from `low` to `high` in 65,534 equal steps of their logarithm, 1 to 65535; 0 is no label.

    One step is ln(high/low) / 65534 of the distance: 0.011 % from 0.1 m to 128 m, near and far.

    Raises BenchError unless 0 < low < high.
    """

    name: ClassVar[str] = "log"
    low: float
    high: float
    dtype: ClassVar[str] = "uint16"  # type: ignore[misc]  # a choice in the parent

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise BenchError(f"A logarithmic encoding needs 0 < low < high, got low={self.low}, high={self.high}.")

    @property
    def blank(self) -> float:
        return 0

    @property
    def step(self) -> float:
        return math.log(self.high / self.low) / (LAST - 1)

    def decode(self, stored: Shaped[Tensor, "samples *shape"]) -> Float32[Tensor, "samples *shape"]:
        values = (stored.float() - 1).mul_(self.step).exp_().mul_(self.low)
        return values.masked_fill_(stored == 0, torch.nan)

    def labelled(self, stored: Shaped[np.ndarray, "samples *shape"]) -> Bool[np.ndarray, "samples *shape"]:
        return stored != 0

    def encode(self, values: Shaped[Tensor, "samples *shape"]) -> Shaped[Tensor, "samples *shape"]:
        """Values outside [low, high] become its ends."""
        steps = (values.clamp(self.low, self.high) / self.low).log() / self.step
        return (steps + 1).round().nan_to_num(nan=0)


@dataclass(frozen=True)
class NormalBytes(Encoding):
    """Unit vectors as colours, n = 2v / 255 - 1 per channel, the third axis from the end.

    Grey, 127 or 128 in every channel, is a vector without length: no label. `flip` names the channels whose sign is
    turned. Where a file has its axes in another order as well, as RefineNet's of NYUv2, a reader's `axes` says so.

    Raises BenchError for a channel other than 0, 1 and 2.
    """

    name: ClassVar[str] = "normal"
    flip: tuple[int, ...] = ()
    dtype: ClassVar[str] = "uint8"  # type: ignore[misc]  # a choice in the parent

    def __post_init__(self) -> None:
        self.__dict__.update(flip=tuple(self.flip))  # a list may be given
        if not set(self.flip) <= {0, 1, 2}:
            raise BenchError(f"The flip of an encoding of normals names channels 0, 1 or 2, got {list(self.flip)}.")

    @property
    def blank(self) -> float:
        return 128

    def decode(self, stored: Shaped[Tensor, "samples 3 height width"]) -> Float32[Tensor, "samples 3 height width"]:
        grey = ((stored == 127) | (stored == 128)).all(dim=-3, keepdim=True)
        return self._turned((stored - 127.5) / 127.5).masked_fill_(grey, torch.nan)

    def labelled(
        self, stored: Shaped[np.ndarray, "samples 3 height width"]
    ) -> Bool[np.ndarray, "samples 3 height width"]:
        grey = ((stored == 127) | (stored == 128)).all(axis=-3, keepdims=True)
        return np.broadcast_to(~grey, stored.shape)

    def encode(self, values: Shaped[Tensor, "samples 3 height width"]) -> Shaped[Tensor, "samples 3 height width"]:
        return self._turned(values * 127.5).add_(127.5).round_().clamp_(0, 255).nan_to_num_(nan=self.blank)

    def _turned(self, values: Tensor) -> Tensor:
        """In place."""
        for channel in self.flip:
            values.select(-3, channel).neg_()
        return values
