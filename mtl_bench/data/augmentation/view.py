"""Where each pixel of an augmented batch looks, and the one sampling that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from mtl_bench.data.packed import Field
from mtl_bench.data.split import Batch, Decoders


@dataclass(frozen=True)
class View:
    """What becomes of every sample of a batch: its pixel (i, j) shows what was at (rows[i], cols[j]).

    `rows`, `cols` are fractional positions in pixels, for what is interpolated; `near_rows`, `near_cols` the pixels
    that stand for what is not. `depth` multiplies depths, `normal_x` (±1) the first component of normals. Normals of
    `zoomed` samples are made unit again unless `renormalise` is false. Where `seen_rows` or `seen_cols` is false a
    pixel shows what lies outside the picture: `fill`, a colour, and no label (None: everything shows the picture).
    """

    rows: Float[Tensor, "batch height"]
    cols: Float[Tensor, "batch width"]
    near_rows: Int64[Tensor, "batch height"]
    near_cols: Int64[Tensor, "batch width"]
    depth: Float[Tensor, "batch"]
    normal_x: Float[Tensor, "batch"]
    zoomed: Bool[Tensor, "batch"]
    renormalise: bool = True
    seen_rows: Bool[Tensor, "batch height"] | None = None
    seen_cols: Bool[Tensor, "batch width"] | None = None
    fill: tuple[float, ...] = ()

    @classmethod
    def whole(cls, image: Float[Tensor, "batch channels height width"]) -> "View":
        """Everything as it is."""
        batch, _, height, width = image.shape
        rows, cols = (torch.arange(size, device=image.device).expand(batch, -1) for size in (height, width))
        one = torch.ones(batch, device=image.device)
        return cls(rows.float(), cols.float(), rows, cols, one, one, one.bool().logical_not_())

    def through(
        self,
        rows: Float[Tensor, "batch height"],
        cols: Float[Tensor, "batch width"],
        near_rows: Int64[Tensor, "batch height"],
        near_cols: Int64[Tensor, "batch width"],
    ) -> "View":
        """This view, looked at from those positions."""
        return replace(
            self,
            rows=_between(self.rows, rows),
            cols=_between(self.cols, cols),
            near_rows=self.near_rows.gather(1, near_rows),
            near_cols=self.near_cols.gather(1, near_cols),
            seen_rows=None if self.seen_rows is None else self.seen_rows.gather(1, near_rows),
            seen_cols=None if self.seen_cols is None else self.seen_cols.gather(1, near_cols),
        )

    @property
    def outside(self) -> Bool[Tensor, "batch height width"] | None:
        """Which pixels show nothing of the picture (None: every one shows some of it)."""
        if self.seen_rows is None or self.seen_cols is None:
            return None
        return ~(self.seen_rows[:, :, None] & self.seen_cols[:, None, :])


def _between(line: Float[Tensor, "batch size"], at: Float[Tensor, "batch size"]) -> Float[Tensor, "batch size"]:
    low, after, weight = _neighbours(at)
    return line.gather(1, low).lerp(line.gather(1, after), weight)


def _neighbours(
    at: Float[Tensor, "batch size"],
) -> tuple[Int64[Tensor, "batch size"], Int64[Tensor, "batch size"], Float[Tensor, "batch size"]]:
    """The positions below and above, and the weight of the second."""
    low = at.floor()
    index = low.long()
    return index, (index + 1).clamp_(max=at.shape[1] - 1), at - low


def resample(batch: Batch, view: View, fields: Mapping[str, Field], decoders: Decoders | None = None) -> Batch:
    """The batch as the view shows it.

    Images and normals are interpolated bilinearly; classes, depths and maps take the value of one pixel, and so does
    whether a normal is valid: what is invalid (NaN, -1) never mixes with its neighbours. Given `decoders`, the batch
    is as stored and gets decoded here, all but normals after sampling, when there is less to move through memory.
    """
    targets = {}
    for name, target in batch.targets.items():
        decode = decoders[name] if decoders else _as_it_is
        match fields[name].kind:
            case "normal":
                targets[name] = _normals(decode(target), view)
            case "depth":
                targets[name] = decode(_take(target, view)).mul_(view.depth[:, None, None, None])
            case "map":
                targets[name] = decode(_take(target, view))
            case _:
                targets[name] = decode(target)
    image = _interpolate(batch.image, view)
    image = decoders["image"](image) if decoders else image
    if (outside := view.outside) is not None:
        image = torch.where(outside[:, None], _colour(view.fill, image.device), image)
        for name, target in targets.items():
            if fields[name].kind:  # its tensor is new here, nobody else's
                target.masked_fill_(outside[:, None] if target.ndim == 4 else outside, _nothing(target))
    return Batch(image, targets, batch.labelled)


def _nothing(target: Tensor) -> float:
    return torch.nan if target.is_floating_point() else -1


@lru_cache
def _colour(fill: tuple[float, ...], device: torch.device) -> Float[Tensor, "channels 1 1"]:
    """Made once: sending it to a GPU makes the host wait."""
    return torch.tensor(fill, device=device).view(-1, 1, 1)


def _as_it_is(target: Tensor) -> Tensor:
    return target


def _take(field: Tensor, view: View) -> Tensor:
    """One pixel for each. Whole rows first, which is copying, and then columns: both indices are small."""
    shape = (len(field), -1, *field.shape[-2:])
    if field.dtype == torch.float16:
        return _take(field.view(torch.int16), view).view(torch.float16)  # gather on the CPU would convert halves
    return _columns(_rows(field.reshape(shape), view.near_rows), view.near_cols).view(field.shape)


def _interpolate(
    field: Shaped[Tensor, "batch channels height width"], view: View
) -> Float[Tensor, "batch channels height width"]:
    """Bilinear, and exact where a position is a whole number."""
    low, after, weight = _neighbours(view.rows)
    rows = _rows(field, low).float().lerp_(_rows(field, after).float(), weight[:, None, :, None])
    low, after, weight = _neighbours(view.cols)
    return _columns(rows, low).lerp_(_columns(rows, after), weight[:, None, None])


def _rows(
    field: Shaped[Tensor, "batch channels height width"], index: Int64[Tensor, "batch height"]
) -> Shaped[Tensor, "batch channels height width"]:
    batch, channels, height, width = field.shape
    lines = (_starts(batch, channels, height, field.device) + index[:, None]).flatten()
    return field.reshape(-1, width).index_select(0, lines).view(field.shape)


@lru_cache
def _starts(batch: int, channels: int, height: int, device: torch.device) -> Int64[Tensor, "batch channels 1"]:
    return torch.arange(0, batch * channels * height, height, device=device).view(batch, channels, 1)


def _columns(
    field: Shaped[Tensor, "batch channels height width"], index: Int64[Tensor, "batch width"]
) -> Shaped[Tensor, "batch channels height width"]:
    return field.gather(3, index[:, None, None].expand(field.shape))


def _normals(normals: Float[Tensor, "batch 3 height width"], view: View) -> Float[Tensor, "batch 3 height width"]:
    x, y, z = normals.split(1, 1)
    invalid = (x + y).add_(z).isnan()
    seen = _interpolate(torch.where(invalid, 0.0, normals), view)
    x, y, z = seen.split(1, 1)
    if view.renormalise:
        factor = (x * x).addcmul_(y, y).addcmul_(z, z).rsqrt_()
        factor = torch.where(view.zoomed[:, None, None, None], factor, 1.0)  # what was not interpolated stays
        factor = torch.where(_take(invalid, view), torch.nan, factor)
    else:  # as released: zeros stand for invalid normals and are interpolated like others
        factor = torch.where((x + y).add_(z) == 0, torch.nan, 1.0)
    seen *= factor
    x *= view.normal_x[:, None, None, None]
    return seen
