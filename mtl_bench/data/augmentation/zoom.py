"""Scales on both sides of 1."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from mtl_bench.data.augmentation.base import Fields, Geometric
from mtl_bench.data.augmentation.view import View
from mtl_bench.errors import BenchError

SLACK = 1e-3  # of a pixel: 640 · 1.2 in 32 bits must not be 767


class RandomZoom(Geometric):
    """Each sample resized by a random scale s to (height · s, width · s), rounded down, and brought back to its size.

    From a larger picture one part is seen, at a random `place` or the `centre`; a smaller one lies in the middle of
    `fill`, one number per channel in [0, 1], and of no label. Source: the loaders of ASTMT and Vandenhende et al.
    (`centre`), of ATRC, InvPT and sel-update-mtl (`random`, scales 0.5 to 2, there a crop is drawn again while one
    class takes more than 75 % of it, which is left out here).

    `scales`: s above 0, `drawn` between the two ends of a range, or among several values with equal probability.
    Depths (fields of that kind) are divided by s. Rotation is not among what a view can express.

    Deviations: where samples are padded, as in `pascal_context`, their padding is resized with them, while released
    loaders crop first and pad last. Pixel centres stay where they are, also for labels, and nothing is smoothed first.

    Raises BenchError for scales that are not above 0 or no range, other words, and a fill that does not fit images.
    """

    revision: ClassVar[int] = 1

    def __init__(
        self,
        scales: Sequence[float],
        drawn: Literal["between", "among"],
        place: Literal["random", "centre"],
        fill: Sequence[float],
        keeps_labels: bool = False,
    ) -> None:
        super().__init__(keeps_labels)
        if not scales or not all(0 < scale < math.inf for scale in scales):
            raise BenchError(f"RandomZoom needs scales above 0, and finite, got {list(scales)}.")
        if drawn not in ("between", "among") or place not in ("random", "centre"):
            raise BenchError(
                f"RandomZoom is drawn `between` or `among`, at a `random` place or the `centre`; got {drawn}, {place}."
            )
        if drawn == "between" and (len(scales) != 2 or scales[0] > scales[1]):
            raise BenchError(f"Scales drawn between two ends are [low, high], got {list(scales)}.")
        if not all(0 <= value <= 1 for value in fill):
            raise BenchError(f"RandomZoom fills with values of images, from 0 to 1, got {list(fill)}.")
        self.scales, self.drawn, self.place = tuple(map(float, scales)), drawn, place
        self.fill = tuple(map(float, fill))

    def check(self, fields: Fields) -> None:
        super().check(fields)
        channels = fields["image"].shape[0]
        if len(self.fill) != channels:
            raise BenchError(f"Images have {channels} channels; give RandomZoom a fill of as many, not {self.fill}.")

    def view(self, view: View, generator: torch.Generator) -> View:
        (batch, height), width, device = view.rows.shape, view.cols.shape[1], view.rows.device
        chosen, down, right = torch.rand(3, batch, generator=generator, device=device)
        scale = self._scale(chosen)
        rows, near_rows, seen_rows = self._line(scale, down, height)
        cols, near_cols, seen_cols = self._line(scale, right, width)
        seen = view.through(rows, cols, near_rows, near_cols)
        return replace(
            seen,
            depth=view.depth / scale,
            zoomed=view.zoomed | (scale != 1),
            seen_rows=seen_rows if seen.seen_rows is None else seen_rows & seen.seen_rows,
            seen_cols=seen_cols if seen.seen_cols is None else seen_cols & seen.seen_cols,
            fill=self.fill,
        )

    def _scale(self, chosen: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        if self.drawn == "between":
            low, high = self.scales
            return low + chosen * (high - low)
        pick = (chosen * len(self.scales)).long().clamp_(max=len(self.scales) - 1)  # rounding may reach the end
        return _values(self.scales, chosen.device).index_select(0, pick)

    def _line(
        self, scale: Float[Tensor, "batch"], place: Float[Tensor, "batch"], size: int
    ) -> tuple[Float[Tensor, "batch {size}"], Int64[Tensor, "batch {size}"], Bool[Tensor, "batch {size}"]]:
        """Positions along one axis: to interpolate at, the pixel next to each, and whether the picture is there."""
        resized = (scale * size + SLACK).floor_().clamp_(min=1)
        spare = resized - size  # below 0: the picture is smaller than what it is shown in
        start = (spare / 2).trunc_()
        if self.place == "random":
            start = torch.where(spare > 0, (place * (spare + 1)).floor_().minimum(spare), start)
        pixel = torch.arange(size, device=scale.device) + start[:, None]
        centre = (2 * pixel + 1) * size / (2 * resized[:, None])  # divided last: exact where it is a whole number
        seen = (pixel >= 0) & (pixel < resized[:, None])
        return (centre - 0.5).clamp_(0, size - 1), centre.floor().long().clamp_(0, size - 1), seen


@lru_cache
def _values(scales: tuple[float, ...], device: torch.device) -> Float[Tensor, "scales"]:
    """Made once: sending it to a GPU makes the host wait."""
    return torch.tensor(scales, device=device)
