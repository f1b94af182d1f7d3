"""Local image operators on a batch of maps."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

Maps = Float[Tensor, "scenes channels height width"]


def sobel(maps: Maps) -> tuple[Maps, Maps]:
    """Derivatives along x and y per pixel (the 3×3 operator, divided by 8), borders replicated."""
    row = torch.tensor([-1.0, 0.0, 1.0], device=maps.device)
    column = torch.tensor([1.0, 2.0, 1.0], device=maps.device)
    kernel = column[:, None] * row / 8
    channels = maps.shape[1]
    weights = torch.stack([kernel, kernel.T])[:, None].repeat(channels, 1, 1, 1)
    found = F.conv2d(F.pad(maps, (1, 1, 1, 1), mode="replicate"), weights, groups=channels)
    return found[:, ::2], found[:, 1::2]


def corners(maps: Maps) -> Float[Tensor, "scenes 1 height width"]:
    """Square root of the smaller eigenvalue of the 5×5 structure tensor, over all channels (Shi, Tomasi, 1994)."""
    dx, dy = sobel(maps)
    products = torch.stack([(a * b).sum(dim=1) for a, b in ((dx, dx), (dx, dy), (dy, dy))], dim=1)
    xx, xy, yy = F.avg_pool2d(products, 5, stride=1, padding=2, count_include_pad=False).unbind(1)
    smaller = (xx + yy) / 2 - torch.hypot((xx - yy) / 2, xy)
    return smaller.clamp(min=0).sqrt()[:, None]


def segments(
    features: Maps, colour: Float[Tensor, "scenes 3 height width"], grid: tuple[int, int], iterations: int
) -> Float[Tensor, "scenes 3 height width"]:
    """Mean colour of each pixel's segment after a few k-means iterations from centres on a regular grid.

    Centres move by every fourth pixel, which is four times as fast; then every pixel joins the nearest.
    """
    centres = _rows(F.adaptive_avg_pool2d(features, grid))
    sample = _rows(features[:, :, ::2, ::2])
    for _ in range(iterations):
        means, count = _means(_nearest(sample, centres), sample, centres.shape[1])
        centres = torch.where(count > 0, means, centres)
    nearest = _nearest(_rows(features), centres)
    means, _ = _means(nearest, _rows(colour), centres.shape[1])
    return means.gather(1, nearest[..., None].expand(-1, -1, 3)).transpose(1, 2).reshape(colour.shape)


def _rows(maps: Maps) -> Float[Tensor, "scenes pixels channels"]:
    return maps.flatten(2).transpose(1, 2)


def _nearest(
    points: Float[Tensor, "scenes pixels channels"], centres: Float[Tensor, "scenes centres channels"]
) -> Int64[Tensor, "scenes pixels"]:
    return (centres.square().sum(dim=-1)[:, None] - 2 * points @ centres.transpose(1, 2)).argmin(dim=-1)


def _means(
    member: Int64[Tensor, "scenes pixels"], values: Float[Tensor, "scenes pixels channels"], centres: int
) -> tuple[Float[Tensor, "scenes centres channels"], Float[Tensor, "scenes centres 1"]]:
    """Mean of the values of each centre's members (0 without one), and how many they are."""
    chosen = torch.zeros(*member.shape, centres, device=values.device).scatter_(2, member[..., None], 1.0)
    count = chosen.sum(dim=1)[..., None]
    return chosen.transpose(1, 2) @ values / count.clamp(min=1), count
