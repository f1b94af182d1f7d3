"""Stored class numbers, with marks for what is no class and with maps from official numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import index
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from mtl_bench.data.encoding.base import Encoding, pieces
from mtl_bench.errors import BenchError


@dataclass(frozen=True)
class Classes(Encoding):
    """Class numbers from 0 on; -1, NaN and the numbers in `ignore` are no label.

    `ids`, where given, leads from stored to class numbers: stored i means class ids[i], or nothing where that is -1,
    as with Cityscapes' 34 ids or NYUv2's 894 names (`chained` joins two such tables).

    Raises BenchError for numbers that are not whole, and for a table with classes below -1.
    """

    name: ClassVar[str] = "class"
    categorical: ClassVar[bool] = True
    ignore: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.__dict__.update(ignore=_whole("ignore", self.ignore), ids=_whole("ids", self.ids))  # lists may be given
        if self.ids and min(self.ids) < -1:
            raise BenchError(
                f"The ids of an encoding lead to classes from 0 on, or to -1 for none; got {min(self.ids)}."
            )

    @property
    def blank(self) -> float:
        return self.ignore[0] if self.ignore else -1

    def decode(self, stored: Shaped[Tensor, "samples *shape"]) -> Int64[Tensor, "samples *shape"]:
        if stored.is_floating_point():
            stored = stored.masked_fill(stored.isnan(), -1)
        classes = stored.long()
        for number in self.ignore:
            classes = classes.masked_fill(classes == number, -1)
        return _table(self.ids, classes.device)[classes] if self.ids else classes

    def labelled(self, stored: Shaped[np.ndarray, "samples *shape"]) -> Bool[np.ndarray, "samples *shape"]:
        if not self.ignore and not self.ids:
            return stored >= 0  # not so for NaN
        return (self.decode(torch.from_numpy(np.array(stored))) >= 0).numpy()

    def foreign(self, stored: Shaped[np.ndarray, "samples *shape"]) -> float | None:
        """Numbers below -1, beyond the table or between two classes."""
        kept = stored[~np.isin(stored, self.ignore)] if self.ignore else stored
        if kept.dtype.kind == "f":
            kept = kept[~np.isnan(kept)]
            if len(odd := kept[(kept != np.floor(kept)) | np.isinf(kept)]):
                return float(odd[0])
        low, high = (kept.min(), kept.max()) if kept.size else (0, 0)
        if low < -1:
            return int(low)
        return int(high) if self.ids and high >= len(self.ids) else None

    def span(self, stored: Shaped[np.ndarray, "samples *shape"]) -> tuple[int, int]:
        """The lowest and the highest class; -1 counts, and is all there is where there are no samples."""
        if not stored.size:
            return -1, -1
        if not self.ignore and not self.ids and stored.dtype.kind != "f":
            return int(stored.min()), int(stored.max())
        found = [self.decode(torch.from_numpy(np.array(piece))).aminmax() for piece in pieces(stored)]
        return min(int(low) for low, _ in found), max(int(high) for _, high in found)


@dataclass(frozen=True)
class Index(Encoding):
    """Bookkeeping of a dataset, such as where a sample came from; never a target."""

    name: ClassVar[str] = "index"
    target: ClassVar[bool] = False

    @property
    def blank(self) -> float:
        return -1

    def decode(self, stored: Shaped[Tensor, "samples *shape"]) -> Shaped[Tensor, "samples *shape"]:
        return stored

    def labelled(self, stored: Shaped[np.ndarray, "samples *shape"]) -> Bool[np.ndarray, "samples *shape"]:
        return np.ones(stored.shape, bool)


def chained(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """The table that leads through `first` and then `second`, as NYUv2's 894 names lead to 40 and then to 13 classes.

    Raises BenchError when `first` leads beyond the end of `second`.
    """
    if max(first) >= len(second):
        raise BenchError(
            f"A table of {len(second)} ids cannot follow one that leads to {max(first)}; check the tables."
        )
    return tuple(-1 if number < 0 else second[number] for number in first)


def _whole(name: str, numbers: Sequence[int]) -> tuple[int, ...]:
    """Python's own integers, so that they can be written as JSON."""
    try:
        return tuple(map(index, numbers))
    except TypeError as error:
        raise BenchError(f"`{name}` of an encoding is a list of whole numbers, got {numbers!r}.") from error


@lru_cache
def _table(ids: tuple[int, ...], device: torch.device) -> Int64[Tensor, "ids"]:
    """With -1 at its end, which is where -1 looks. Made once: sending it to a GPU makes the host wait."""
    return torch.tensor((*ids, -1), device=device)
