"""The contract of an encoding."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import inf
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

PIECE = 8 << 20  # bytes that are looked at together


class Encoding(ABC):
    """What the stored numbers of a field mean, and which of them are no label.

    Decoded are class numbers (int64, -1: no label) where it is `categorical`, else float32 (NaN: no label). `target`
    says whether a task may predict it, `dtype` is NumPy's name of the only type that stores it ("": any does), `scale`
    how many stored steps make one unit, and `blank` the stored number to write where there is no label. `name` is the
    one in its written form.
    """

    name: ClassVar[str]
    categorical: ClassVar[bool] = False
    target: ClassVar[bool] = True
    dtype: str = ""
    scale: float = 1.0

    @property
    @abstractmethod
    def blank(self) -> float: ...

    @abstractmethod
    def decode(self, stored: Shaped[Tensor, "samples *shape"]) -> Shaped[Tensor, "samples *shape"]:
        """Values, on the device of `stored`, which stays as it is. Nothing waits for the device."""

    @abstractmethod
    def labelled(self, stored: Shaped[np.ndarray, "samples *shape"]) -> Bool[np.ndarray, "samples *shape"]:
        """Which elements are a label: those that `decode` gives a value."""

    def encode(self, values: Shaped[Tensor, "samples *shape"]) -> Shaped[Tensor, "samples *shape"]:
        """What to store, rounded where that is whole numbers; the caller converts it to the field's type."""
        return values

    def foreign(self, stored: Shaped[np.ndarray, "samples *shape"]) -> float | None:
        """A stored number that has no meaning here; None: all have one."""
        return None

    def span(self, stored: Shaped[np.ndarray, "samples *shape"]) -> tuple[float, float]:
        """The lowest and the highest value of a label, but for -1, which is none of a class; inf and -inf of none."""
        values = self.decode(torch.from_numpy(stored.astype("i4" if stored.dtype == np.uint16 else stored.dtype)))
        values = values[~values.isnan() & (values != -1)]
        return (float(values.min()), float(values.max())) if len(values) else (inf, -inf)


def pieces(array: Shaped[np.ndarray, "samples *shape"]) -> Iterator[Shaped[np.ndarray, "piece *shape"]]:
    """The samples a few at a time: a look at all of a memory-mapped file must not hold all of it."""
    step = max(1, PIECE * len(array) // max(1, array.nbytes))
    return (array[start : start + step] for start in range(0, len(array), step))
