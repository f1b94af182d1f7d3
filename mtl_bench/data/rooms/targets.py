"""The twelve targets of a view, exact from geometry unless said, as packed arrays store them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.data.packed import Field
from mtl_bench.data.rooms.filters import corners, segments, sobel
from mtl_bench.data.rooms.raycast import Cameras, Hits
from mtl_bench.data.rooms.solids import Solids

JUMP = 0.4  # relative jump in depth that counts as a full occlusion edge
TEXTURE_GAIN, CORNER_2D_GAIN, CORNER_3D_GAIN = 3.0, 6.0, 1.5  # bring typical maps into [0, 1]; larger values are cut
GRID = (4, 5)  # segments down and across at the start of k-means
ITERATIONS = 3


def fields(height: int, width: int) -> dict[str, Field]:
    """Stored form of image and targets; the order is the order of tasks."""
    size = (height, width)
    return {
        "image": Field("uint8", (3, *size), "uint8/255", kind="map"),
        "segmentation": Field("int8", size, "class", kind="map"),
        "depth_euclidean": Field("float16", (1, *size), "float", "m", kind="depth"),
        "depth_zbuffer": Field("float16", (1, *size), "float", "m", kind="depth"),
        "normal": Field("int8", (3, *size), "int8/127", kind="normal"),
        "edge_occlusion": Field("float16", (1, *size), "float", kind="map"),
        "edge_texture": Field("float16", (1, *size), "float", kind="map"),
        "principal_curvature": Field("float16", (2, *size), "float", "1/m", kind="map"),
        "reshading": Field("float16", (1, *size), "float", kind="map"),
        "keypoints2d": Field("float16", (1, *size), "float", kind="map"),
        "keypoints3d": Field("float16", (1, *size), "float", kind="map"),
        "segment_unsup2d": Field("float16", (3, *size), "float", kind="map"),
        "segment_unsup25d": Field("float16", (3, *size), "float", kind="map"),
    }


@dataclass(frozen=True)
class Seen:
    """Maps of one batch of views, each [scenes, channels, height, width]."""

    cameras: Cameras
    hits: Hits
    solids: Solids
    clean: Float[Tensor, "scenes 3 height width"]  # the render before sensor noise

    def map(self, flat: Tensor) -> Tensor:
        """[scenes, rays] or [scenes, rays, channels] as an image."""
        scenes, _, height, width = self.clean.shape
        return flat.reshape(scenes, height, width, -1).permute(0, 3, 1, 2)

    def of_owner(self, table: Int64[Tensor, "scenes owners"]) -> Int64[Tensor, "scenes rays"]:
        return table.gather(1, self.hits.owner)


def targets(seen: Seen) -> dict[str, Tensor]:
    """By field name, before encoding; NaN and VOID where there is no target."""
    hits, cameras = seen.hits, seen.cameras
    depth = seen.map(hits.depth)
    normal = torch.einsum("sji,srj->sri", cameras.rotation, hits.normal)
    distance = cameras.rays.norm(dim=-1)
    facing = -(normal * cameras.rays).sum(dim=-1) / distance
    measured = seen.map(seen.of_owner(seen.solids.depth)) == 1
    label = seen.map(seen.of_owner(seen.solids.label))[:, 0]
    normals = seen.map(normal)
    position = _positions(seen.clean)
    shape = torch.cat([0.8 * normals, depth.log()], dim=1)
    plain = torch.cat([seen.clean, position], dim=1)
    return {
        "segmentation": label,
        "depth_euclidean": torch.where(measured, seen.map(hits.depth * distance), torch.nan),
        "depth_zbuffer": torch.where(measured, depth, torch.nan),
        "normal": normals,
        "edge_occlusion": _occlusion(seen, normal),
        "edge_texture": (TEXTURE_GAIN * _steepness(seen.clean)).clamp(max=1),
        "principal_curvature": seen.map(hits.curvature),
        "reshading": seen.map(facing),
        "keypoints2d": (CORNER_2D_GAIN * corners(seen.clean.mean(dim=1, keepdim=True))).clamp(max=1),
        "keypoints3d": (CORNER_3D_GAIN * corners(shape)).clamp(max=1),
        "segment_unsup2d": segments(plain, seen.clean, GRID, ITERATIONS),
        "segment_unsup25d": segments(torch.cat([plain, shape], dim=1), seen.clean, GRID, ITERATIONS),
    }


def _steepness(image: Tensor) -> Tensor:
    dx, dy = sobel(image.mean(dim=1, keepdim=True))
    return torch.hypot(dx, dy)


def _positions(like: Tensor) -> Tensor:
    """x and y of each pixel, so that segments stay compact."""
    scenes, _, height, width = like.shape
    x = torch.arange(width, device=like.device) / width * 1.5
    y = torch.arange(height, device=like.device) / width * 1.5
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)]).expand(scenes, -1, -1, -1)


def _occlusion(seen: Seen, normal: Float[Tensor, "scenes rays 3"]) -> Float[Tensor, "scenes 1 height width"]:
    """How far the next pixel's surface lies behind this pixel's tangent plane, relative to its depth; 1 from JUMP on.

    The plane through a pixel says exactly which depth its neighbour would have on the same flat surface, so slanted
    walls leave no trace and creases almost none. The edge belongs to the surface that hides the other.
    """
    rays, normals, depth = seen.map(seen.cameras.rays), seen.map(normal), seen.map(seen.hits.depth)
    plane = (normals * rays).sum(dim=1, keepdim=True) * depth
    strongest = torch.zeros_like(depth)
    for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        there, ray = _shift(depth, down, right), _shift(rays, down, right)
        slope = (normals * ray).sum(dim=1, keepdim=True)
        expected = plane / torch.where(slope.abs() < 1e-6, -1e-6, slope)
        jump = (there - torch.where(expected > 0, expected, there)) / depth
        strongest = torch.maximum(strongest, jump)
    return (strongest / JUMP).clamp(max=1)


def _shift(maps: Tensor, down: int, right: int) -> Tensor:
    """What lies one pixel further; at the border the pixel itself."""
    padded = F.pad(maps, (1, 1, 1, 1), mode="replicate")
    height, width = maps.shape[-2:]
    return padded[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]
