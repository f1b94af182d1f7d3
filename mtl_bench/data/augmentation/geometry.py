"""Augmentations that move pixels."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mtl_bench.data.augmentation.base import Fields, Geometric
from mtl_bench.data.augmentation.view import View
from mtl_bench.errors import BenchError


class RandomScaleCrop(Geometric):
    """Each sample zoomed by a random scale: a crop of (height/s, width/s) at a random place, resized to the whole.

    Source: Eigen et al. 2014, in the form of the MTAN and CAGrad releases (crop rounded down, scales 1, 1.2 and 1.5).
    A zoomed picture is taken for one from nearer by, which is right for depths up to the tilt of surfaces.

    `scales`: s, at least 1 each, drawn with equal probability. `divide_depth` says what fields of kind `depth` do:
    `divide` by s (metres), `multiply` by s (inverse depth; the releases divide that of Cityscapes too), or `keep`.
    `renormalise_normals: false` leaves interpolated normals short, and valid next to invalid ones, as the releases do.
    `align_corners: true` resizes as the releases do (bilinear by align_corners=True, nearest by rounding positions
    down, which lets image and labels part by up to a pixel); the default keeps pixel centres where they are.

    Raises BenchError for scales below 1 or that leave no pixel of an image, another `divide_depth`, and what Geometric
    refuses.
    """

    revision: ClassVar[int] = 1

    def __init__(
        self,
        scales: Sequence[float] = (1.0, 1.2, 1.5),
        divide_depth: Literal["divide", "multiply", "keep"] = "divide",
        renormalise_normals: bool = True,
        align_corners: bool = False,
        keeps_labels: bool = False,
    ) -> None:
        super().__init__(keeps_labels)
        if not scales or not all(1 <= scale < math.inf for scale in scales):
            raise BenchError(f"RandomScaleCrop needs scales of at least 1, and finite, got {list(scales)}.")
        if divide_depth not in ("divide", "multiply", "keep"):
            raise BenchError(f"divide_depth is `divide`, `multiply` or `keep`, got {divide_depth!r}.")
        self.scales, self.divide_depth = tuple(map(float, scales)), divide_depth
        self.renormalise_normals, self.align_corners = renormalise_normals, align_corners

    def check(self, fields: Fields) -> None:
        super().check(fields)
        _, height, width = fields["image"].shape
        if max(self.scales) > min(height, width):
            raise BenchError(f"RandomScaleCrop leaves no pixel of {height}×{width} at a scale of {max(self.scales):g}.")

    def view(self, view: View, generator: torch.Generator) -> View:
        (batch, height), width, device = view.rows.shape, view.cols.shape[1], view.rows.device
        chosen, down, right = torch.rand(3, batch, generator=generator, device=device)
        pick = (chosen * len(self.scales)).long().clamp_(max=len(self.scales) - 1)  # rounding may reach the end
        scale, *kept = _table(self.scales, height, width, device).index_select(1, pick)
        rows, near_rows = self._crop(kept[0], down, height)
        cols, near_cols = self._crop(kept[1], right, width)
        factor = {"divide": 1 / scale, "multiply": scale, "keep": torch.ones_like(scale)}[self.divide_depth]
        return replace(
            view.through(rows, cols, near_rows, near_cols),
            depth=view.depth * factor,
            zoomed=view.zoomed | (scale > 1),
            renormalise=view.renormalise and self.renormalise_normals,
        )

    def _crop(
        self, kept: Float[Tensor, "batch"], place: Float[Tensor, "batch"], size: int
    ) -> tuple[Float[Tensor, "batch {size}"], Int64[Tensor, "batch {size}"]]:
        """Positions along one axis: to interpolate at, and of the pixel that stands for what is not interpolated."""
        start = (place * (size - kept + 1)).floor_().minimum(size - kept)[:, None]
        kept, pixel = kept[:, None], torch.arange(size, device=kept.device)
        if self.align_corners:
            return start + pixel * (kept - 1) / max(1, size - 1), (start + (pixel * (kept / size)).floor()).long()
        centre = (2 * pixel + 1) * kept / (2 * size)  # divided last: exact where it is a whole number
        return start + (centre - 0.5).clamp_(min=0).minimum(kept - 1), (start + centre.floor()).long()


class HorizontalFlip(Geometric):
    """Each sample mirrored left to right with probability `p`.

    `negate_normal_x: false` moves normals without turning them, as the Taskonomy loader of sel-update-mtl does.

    Raises BenchError for a `p` outside [0, 1], and what Geometric refuses.
    """

    revision: ClassVar[int] = 1

    def __init__(self, p: float = 0.5, negate_normal_x: bool = True, keeps_labels: bool = False) -> None:
        super().__init__(keeps_labels)
        if not 0 <= p <= 1:
            raise BenchError(f"HorizontalFlip needs a probability p from 0 to 1, got {p}.")
        self.p, self.negate_normal_x = p, negate_normal_x

    def view(self, view: View, generator: torch.Generator) -> View:
        mirrored = torch.rand(len(view.depth), generator=generator, device=view.depth.device) < self.p
        seen = view.seen_cols
        return replace(
            view,
            cols=torch.where(mirrored[:, None], view.cols.flip(1), view.cols),
            near_cols=torch.where(mirrored[:, None], view.near_cols.flip(1), view.near_cols),
            seen_cols=None if seen is None else torch.where(mirrored[:, None], seen.flip(1), seen),
            normal_x=torch.where(mirrored & self.negate_normal_x, -view.normal_x, view.normal_x),
        )


@lru_cache
def _table(scales: tuple[float, ...], height: int, width: int, device: torch.device) -> Float[Tensor, "3 scales"]:
    """Scales, and rows and columns they leave. Made once: sending it to a GPU makes the host wait."""
    return torch.tensor([scales, [int(height / s) for s in scales], [int(width / s) for s in scales]], device=device)
