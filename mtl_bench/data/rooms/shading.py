"""Light on surfaces: what the camera's sensor sees."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.data.rooms.raycast import Hits, lit
from mtl_bench.data.rooms.scene import Scene
from mtl_bench.data.rooms.solids import Solids

CORNER = 0.3  # metres over which a corner darkens
DARKEST = 0.45  # what a corner loses of its ambient light
GAMMA = 1 / 2.2


def shade(
    scenes: Sequence[Scene], hits: Hits, solids: Solids, albedo: Float[Tensor, "scenes rays 3"]
) -> Float[Tensor, "scenes rays 3"]:
    """Lambertian surfaces under two coloured lamps with hard shadows, the camera's flash and ambient light."""
    lights = torch.tensor(np.stack([scene.lights for scene in scenes]), dtype=torch.float32, device=hits.depth.device)
    ambient, flash, exposure = (
        torch.tensor([getattr(scene, name) for scene in scenes], dtype=torch.float32, device=hits.depth.device)
        for name in ("ambient", "flash", "exposure")
    )
    light = ambient[:, None, None] * _corners(hits, 2 * solids.half[:, 0])[..., None]
    eye = torch.tensor(
        np.stack([scene.camera.position for scene in scenes]), dtype=torch.float32, device=hits.depth.device
    )
    for lamp in lights.unbind(1):
        light = light + _lamp(hits, lamp, solids)
    white = torch.ones_like(eye)
    light = light + flash[:, None, None] * _falloff(hits, torch.cat([eye, white], dim=-1))
    return (exposure[:, None, None] * albedo * light).clamp(0, 1).pow(GAMMA)


def _lamp(hits: Hits, lamp: Float[Tensor, "scenes 6"], solids: Solids) -> Float[Tensor, "scenes rays 3"]:
    return _falloff(hits, lamp) * lit(hits, lamp[:, :3], solids)[..., None]


def _falloff(hits: Hits, lamp: Float[Tensor, "scenes 6"]) -> Float[Tensor, "scenes rays 3"]:
    """Lambert's cosine, and less light from further away."""
    towards = lamp[:, None, :3] - hits.point
    squared = towards.square().sum(dim=-1)
    cosine = (towards * hits.normal).sum(dim=-1).clamp(min=0) / squared.sqrt()
    return (cosine * 2.5 / (1 + 0.45 * squared))[..., None] * lamp[:, None, 3:]


def _corners(hits: Hits, size: Float[Tensor, "scenes 3"]) -> Float[Tensor, "scenes rays"]:
    """Less ambient light arrives near the walls, floor and ceiling that a surface does not lie in."""
    reach = torch.ones_like(hits.depth)
    for axis in range(3):
        near = hits.point[..., axis]
        across = 1 - hits.normal[..., axis].abs()
        for distance in (near, size[:, axis, None] - near):
            reach = reach * (1 - DARKEST * across * torch.exp(-distance.abs() / CORNER))
    return reach
